"""Shows whether TPE loses anything by looking at a bounded number of trials, and what it gains in time.

    python benchmarks/tpe_bound.py --trials 1500 --seeds 8

On four synthetic objectives over twelve values (mixed, conditional, with noise) TPE searches with its usual
`look_back` and with one that hides nothing. Both share their beginning, where they see the same. It reports the
best true score so far as a distance from the optimum, the difference between the two (bounded minus unbounded,
so that less than nothing is better) with a 95 % bootstrap interval over objectives and seeds, and the
milliseconds a trial's twelve values take at the end. It writes JSON and a plot.
"""

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from hpsearch.objective import Objective
from hpsearch.protocols import Brief, Past
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Values
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.tuners.via_optuna import TPE
from instant_trials import SPACE

NOISE = 0.02
LAST = 50  # trials at the end whose time is taken


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


@dataclass
class Pair:
    """One objective under one seed: the best distances so far, trial by trial, and milliseconds a trial at the end."""

    objective: str
    seed: int
    bounded: list[float] = field(default_factory=list)
    unbounded: list[float] = field(default_factory=list)
    bounded_ms: float = 0.0
    unbounded_ms: float = 0.0


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


def compare(objective: str, seed: int, trials: int, look_back: int) -> Pair:
    """Search once up to where the bound begins to hide something, and from there with and without it."""
    pair = Pair(objective, seed)
    common = Search(objective, seed, look_back, [])
    start = common.go(0, min(look_back, trials))
    for name, bound in (("bounded", look_back), ("unbounded", trials)):
        search = Search(objective, seed, bound, common.history)
        found = start + search.go(len(start), trials)
        setattr(pair, name, [min(found[: place + 1]) for place in range(trials)] if trials else [])
        setattr(pair, f"{name}_ms", 1000 * statistics.fmean(search.seconds[-LAST:] or [0.0]))
    return pair


def bootstrap(differences: list[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval, from 10,000 resamples (Efron 1979, percentile method)."""
    dice = random.Random(0)  # noqa: S311  # no secret
    means = sorted(statistics.fmean(dice.choices(differences, k=len(differences))) for _ in range(10_000))
    return statistics.fmean(differences), means[250], means[9749]


def main() -> None:
    """Compare, print, write."""
    options = _options()
    jobs = list(product(options.objectives, range(options.seeds)))
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        asked = [pool.submit(compare, name, seed, options.trials, options.look_back) for name, seed in jobs]
        pairs = [one.result() for one in asked]
    found = {"trials": options.trials, "look_back": options.look_back, "noise": NOISE, "intervals": _intervals(pairs)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found | {"pairs": [asdict(pair) for pair in pairs]}) + "\n")
    _plot(pairs, options.out.with_suffix(".png"))
    _say(pairs, found["intervals"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=700, help="trials a search (700)")
    parser.add_argument("--look-back", type=int, default=TPE.look_back, help=f"the bound ({TPE.look_back})")
    parser.add_argument("--seeds", type=int, default=2, help="searches an objective (2)")
    parser.add_argument("--objectives", nargs="*", default=list(OBJECTIVES), metavar="NAME", help=", ".join(OBJECTIVES))
    parser.add_argument("--processes", type=int, default=1, help="searches at a time (1)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tpe_bound.json"), help="JSON goes here")
    return parser.parse_args()


def _intervals(pairs: list[Pair]) -> dict[str, tuple[float, float, float]]:
    """Of the difference at the end: all together, and each objective for itself."""
    groups = {"all": pairs} | {name: [pair for pair in pairs if pair.objective == name] for name in OBJECTIVES}
    return {
        name: bootstrap([pair.bounded[-1] - pair.unbounded[-1] for pair in group])
        for name, group in groups.items()
        if group
    }


def _plot(pairs: list[Pair], file: Path) -> None:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(pair.objective for pair in pairs))
    figure = Figure(figsize=(4 * len(names), 4), layout="constrained")
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        for kind, colour in (("bounded", "C0"), ("unbounded", "C1")):
            curves = [getattr(pair, kind) for pair in pairs if pair.objective == name]
            ax.plot([statistics.median(at) for at in zip(*curves, strict=True)], colour, label=kind)
        ax.set_title(name)
        ax.grid(alpha=0.3)
        ax.legend()
    figure.supxlabel("trials")
    figure.supylabel("best true loss so far, median over seeds")
    figure.savefig(file, dpi=120)


def _say(pairs: list[Pair], intervals: dict[str, tuple[float, float, float]]) -> None:
    for name, (mean, low, high) in intervals.items():
        print(f"{name:<10}  bounded - unbounded {mean:+.4f}  (95 % {low:+.4f} to {high:+.4f})")
    for kind in ("bounded", "unbounded"):
        best = statistics.fmean(getattr(pair, kind)[-1] for pair in pairs)
        spent = statistics.fmean(getattr(pair, f"{kind}_ms") for pair in pairs)
        print(f"{kind:<10}  best true loss {best:.4f}, {spent:.0f} ms a trial at the end")


if __name__ == "__main__":
    main()
