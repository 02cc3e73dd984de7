"""Shows whether TPE loses anything by looking at a bounded number of trials, and what it gains in time.

    python benchmarks/tpe_bound.py --trials 1500 --seeds 8

On four synthetic objectives over twelve values (mixed, conditional, with noise) TPE searches with its usual
`look_back` and with one that hides nothing. Both share their beginning, where they see the same. It reports the
best true score so far as a distance from the optimum, the difference between the two (bounded minus unbounded,
so that less than nothing is better) with a 95 % bootstrap interval over objectives and seeds, and the
milliseconds a trial's twelve values take at the end.

Pairs of searches are kept in results/tpe-bound.jsonl; one that is there is not made again.
"""

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import as_completed
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import reporting
from hpsearch.objective import Objective
from hpsearch.protocols import Brief, Past
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Values
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.tuners.via_optuna import TPE
from instant_trials import SPACE
from pools import pool
from runs import Run, Runs, one_machine, refuse_other_machine

KEY = ("objective", "seed", "trials", "look_back")
NOISE = 0.02
LAST = 50  # trials at the end whose time is taken
EVERY = 25


def _away(values: Values, name: str, best: float, width: float) -> float:
    """Squared distance of a number from its best place, in logarithms where it is searched so."""
    value = float(values[name])
    parameter = next(one for one in SPACE if one.name == name)
    return ((math.log10(value / best) if parameter.sampling == "log" else value - best) / width) ** 2


def bowl(values: Values) -> float:
    """Every value for itself, as an easy space would have it."""
    loss = _away(values, "learning_rate", 1e-3, 2) + _away(values, "weight_decay", 1e-5, 4)
    loss += _away(values, "dropout", 0.25, 0.5) + _away(values, "clip", 1.0, 2) + _away(values, "units_0", 300, 400)
    return loss + 0.2 * (values["activation"] != "gelu") + 0.1 * (not values["norm"])


def valley(values: Values) -> float:
    """A narrow valley: what is best for one value depends on another."""
    rate, decay = math.log10(float(values["learning_rate"])), math.log10(float(values["weight_decay"]))
    loss = 4 * (rate + 3 - 0.5 * (decay + 5)) ** 2 + 0.1 * (decay + 4) ** 2
    return loss + _away(values, "dropout", 0.1 + float(values["units_0"]) / 1500, 0.2)


def branches(values: Values) -> float:
    """The best place lies in the deepest branch, which looks worst while its own values are wrong."""
    loss = 0.5 + 0.3 * _away(values, "learning_rate", 3e-3, 1)
    if values["layers"] == 3:  # noqa: PLR2004  # three layers are the deepest branch
        loss += -0.5 + _away(values, "units_1", 128, 60) + _away(values, "units_2", 64, 60)
    return loss + (_away(values, "momentum", 0.9, 0.1) if values["optimizer"] == "sgd" else 0.3)


def lock(values: Values) -> float:
    """Categories that are good only together, and a fine adjustment behind them."""
    right = (values["optimizer"] == "rmsprop") + (values["activation"] == "elu") + bool(values["norm"])
    return (1.0, 0.9, 0.8, 0.0)[right] + _away(values, "clip", 3.0, 0.5) + 0.5 * _away(values, "learning_rate", 1e-2, 1)


OBJECTIVES: dict[str, Callable[[Values], float]] = {one.__name__: one for one in (bowl, valley, branches, lock)}


class Search:
    """TPE on one objective; it can go on from another's history."""

    def __init__(self, objective: str, seed: int, look_back: int, history: list[Past]) -> None:
        self._loss, self._seed, self.history = OBJECTIVES[objective], seed, list(history)
        self._tuner = TPE(look_back=look_back)
        self._tuner.begin(Brief(Objective("min", "loss"), seed, None, 1, SPACE, tuple(history)))
        self.seconds: list[float] = []

    def go(self, first: int, last: int) -> list[float]:
        """Make the trials from `first` up to before `last`; give their true distances."""
        return [self._trial(number) for number in range(first, last)]

    def _trial(self, number: int) -> float:
        began = time.thread_time()
        values: Values = {}
        self._tuner.ask(number)
        self.history.append(Asked(Trial(number)))
        for parameter in SPACE:
            if parameter.active(values):
                values[parameter.name] = self._tuner.suggest(number, parameter)
                self.history.append(Answered(number, parameter, values[parameter.name]))
        self.seconds.append(time.thread_time() - began)
        true = self._loss(values)
        seen = true + random.Random(derive(self._seed, "noise", number)).gauss(0, NOISE)  # noqa: S311  # no secret
        result = TrialResult(Trial(number, values), Status.COMPLETED, seen, 1)
        self._tuner.tell(result)
        self.history.append(result)
        return true


def compare(objective: str, seed: int, trials: int, look_back: int) -> Run:
    """Search once up to where the bound begins to hide something, and from there with and without it.

    The run holds for each the best distance so far, every `EVERY` trials, and the milliseconds of a trial at the end.
    """
    run: Run = {"objective": objective, "seed": seed, "trials": trials, "look_back": look_back}
    common = Search(objective, seed, look_back, [])
    start = common.go(0, min(look_back, trials))
    for name, bound in (("bounded", look_back), ("unbounded", trials)):
        search = Search(objective, seed, bound, common.history)
        found = list(accumulate(start + search.go(len(start), trials), min))
        run[name] = [*found[EVERY - 1 : -1 : EVERY], found[-1]]
        run[f"{name}_ms"] = 1000 * statistics.fmean(search.seconds[-LAST:])
    return run


def bootstrap(differences: list[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval, from 10,000 resamples (Efron 1979, percentile method)."""
    dice = random.Random(0)  # noqa: S311  # no secret
    means = sorted(statistics.fmean(dice.choices(differences, k=len(differences))) for _ in range(10_000))
    return statistics.fmean(differences), means[250], means[9749]


def main() -> None:
    """Make the pairs that are missing, then write a table and a picture of all that were asked for."""
    options = _options()
    runs = Runs(options.out / "tpe-bound.jsonl", KEY)
    asked = [
        {"objective": name, "seed": seed, "trials": options.trials, "look_back": options.look_back}
        for seed, name in product(range(options.seeds), options.objectives)
    ]
    if any(run not in runs for run in asked):
        refuse_other_machine(runs.among(asked))
    with pool(options.processes) as hands:
        for made in as_completed([hands.submit(compare, **run) for run in asked if run not in runs]):
            runs.add(made.result() | {"machine": reporting.machine()})
            print(f"{len(runs.among(asked))} of {len(asked)} pairs", file=sys.stderr, flush=True)
    report(runs.among(asked), options.out / "tpe-bound.json")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=700, help="trials a search (700)")
    parser.add_argument("--look-back", type=int, default=TPE.look_back, help=f"the bound ({TPE.look_back})")
    parser.add_argument("--seeds", type=int, default=2, help="searches an objective (2)")
    parser.add_argument("--objectives", nargs="*", default=list(OBJECTIVES), metavar="NAME", help=", ".join(OBJECTIVES))
    parser.add_argument("--processes", type=int, default=1, help="searches at a time (1)")
    parser.add_argument("--out", type=Path, default=reporting.RESULTS, help="a folder for what is found")
    return parser.parse_args()


def report(pairs: list[Run], path: Path) -> None:
    """Write a table with a row for each objective and one for all, and a picture beside it."""
    groups = {name: [pair for pair in pairs if pair["objective"] == name] for name in OBJECTIVES} | {"all": pairs}
    look_back = pairs[0]["look_back"]
    reporting.Result(
        title=f"TPE that looks at {look_back} trials, beside TPE that looks at all",
        command=reporting.command("--processes", "--out"),
        predicted="no worse, and under 100 ms a trial",
        machine=one_machine(pairs),
        columns=["objective", "pairs", "best, bounded", "best, unbounded", "difference [95 %]",
                 "ms a trial at the end, bounded", "unbounded"],
        rows=[_row(name, group) for name, group in groups.items() if group],
        plot=reporting.picture(path.with_suffix(".png"), lambda axes: _draw(axes, groups)),
        words=[
            f"{pairs[0]['trials']} trials of twelve values each; scores are seen with noise of {NOISE}.",
            "Best: the true distance of the best trial from the optimum, the mean over the pairs.",
            f"Both searches of a pair share their first {look_back} trials.",
            "Difference: bounded less unbounded, so that less than nothing is better; bootstrapped over the pairs.",
            f"Milliseconds: processor time of the tuner for one trial, over the last {LAST}.",
        ],
    ).write(path)  # fmt: skip


def _row(name: str, pairs: list[Run]) -> list[reporting.Cell]:
    mean, low, high = bootstrap([pair["bounded"][-1] - pair["unbounded"][-1] for pair in pairs])
    best = [statistics.fmean(pair[kind][-1] for pair in pairs) for kind in ("bounded", "unbounded")]
    spent = [statistics.fmean(pair[f"{kind}_ms"] for pair in pairs) for kind in ("bounded", "unbounded")]
    return [name, len(pairs), *best, f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]", *spent]


def _draw(axes: Any, groups: dict[str, list[Run]]) -> None:
    for colour, (name, pairs) in enumerate((name, pairs) for name, pairs in groups.items() if pairs and name != "all"):
        for kind, line in (("bounded", "-"), ("unbounded", ":")):
            medians = [statistics.median(at) for at in zip(*(pair[kind] for pair in pairs), strict=True)]
            places = [min(EVERY * place, pairs[0]["trials"]) for place in range(1, len(medians) + 1)]
            axes.plot(places, medians, f"C{colour}{line}", label=f"{name}, {kind}")
    axes.set(xlabel="trials", ylabel="best true distance so far, median", yscale="log")
    axes.legend(frameon=False, fontsize="small")


if __name__ == "__main__":
    main()
