"""Shows how often the finals' figures are right, in studies that are made up so that the truth is known.

    python benchmarks/interval_coverage.py --studies 2000

For many kinds of study (how accurate, how many test rows, how much seeds differ, 3, 5 or 10 of them) it counts how
often the headline interval holds the truth about the winner, which the finals have chosen; what an interval of the
one tested model would have held; how often best-validation and the finals pick the truly best trial; how often a
finalist is wrongly told apart; and whether the optimism that is printed is the true one. It writes JSON, and with
--page the tables of docs/statistics.md.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np

from hpsearch import conclusions, statistics
from hpsearch.objective import Objective
from hpsearch.trial import Status, Trial, TrialResult
from pools import pool
from simulated_finals import Setting, Simulated, simulate

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "statistics.md"
MARK = "<!-- {} by benchmarks/interval_coverage.py -->"
KINDS = ((0.80, 500), (0.90, 1500), (0.98, 2000), (0.99, 600), (0.98, 10_000), (0.995, 10_000))
DEVIATIONS, SEEDS = (0.02, 0.1, 0.3), (3, 5, 10)
FIELD_OF, FINALISTS = (0.98, 2000), (1, 10)
OBJECTIVE = Objective("max", "val_accuracy")


@dataclass(frozen=True)
class Told:
    """What was said of one study, and what is true of it; accuracies as shares."""

    held: bool
    below: bool
    above: bool
    width: float
    one_model_held: bool
    naive_best: bool
    finals_best: bool
    naive_loss: float
    finals_loss: float
    wrong: bool
    wrong_by_models: bool
    tied: bool
    optimism: float
    true_optimism: float
    bootstrap: float | None


def tell(study: Simulated, number: int) -> Told:
    """What hpsearch says of a study, beside the truth; the bootstrap, which takes long, is asked of every fourth."""
    winner, truth = study.standings[0], study.truth
    low, high = conclusions.interval(study.standings)
    compared = conclusions.comparisons(study.standings)
    ties = conclusions.ties(study.standings, compared, None)
    one = winner.rights[winner.median] if winner.median else winner.table[:, 0]
    of_one = statistics.accuracy_of_one(int(one.sum()), len(one))
    results = [TrialResult(Trial(number), Status.COMPLETED, score) for number, score in enumerate(study.searched)]
    leader = results[study.naive]
    expected, best = truth[winner.trial], truth.max()
    worse = [(one, truth[one.trial] - expected) for one in compared]
    pairs = len(study.standings) * (len(study.standings) - 1) // 2
    return Told(
        held=low <= expected <= high, below=bool(expected < low), above=bool(expected > high), width=high - low,
        one_model_held=of_one[0] <= expected <= of_one[1],
        naive_best=bool(truth[study.naive] == best), finals_best=bool(expected == best),
        naive_loss=float(best - truth[study.naive]), finals_loss=float(best - expected),
        wrong=any(one.trial not in ties and gap * (one.difference or 0) > 0 for one, gap in worse),
        wrong_by_models=any(
            one.p * pairs < statistics.OUTSIDE and gap * (one.only_winner_right - one.only_other_right) > 0
            for one, gap in worse
        ),
        tied=bool(ties),
        optimism=conclusions.optimism(OBJECTIVE, leader, study.standings) or 0.0,
        true_optimism=float(study.searched.max()) - study.fair,
        bootstrap=None if number % 4 else conclusions.luck(OBJECTIVE, results, study.standings, number),
    )  # fmt: skip


def run(setting: Setting, studies: int) -> dict[str, float]:
    """The means over many studies of one kind."""
    random = np.random.default_rng([round(1e6 * setting.accuracy), setting.rows, round(1e3 * setting.seed_deviation)])
    told = [asdict(tell(simulate(setting, random), number)) for number in range(studies)]
    return {name: fmean(float(one[name]) for one in told if one[name] is not None) for name in told[0]}


def settings() -> list[Setting]:
    """All kinds of study: with three finalists, and some with one (as good as chosen without its seeds) or ten."""
    usual = [
        Setting(accuracy, rows, deviation, seeds)
        for (accuracy, rows), deviation, seeds in product(KINDS, DEVIATIONS, SEEDS)
    ]
    fields = product(FINALISTS, DEVIATIONS, SEEDS)
    return usual + [Setting(*FIELD_OF, deviation, seeds, finalists) for finalists, deviation, seeds in fields]


def tables(found: Sequence[dict[str, float]]) -> str:
    """What was found, as Markdown."""
    usual = [one for one in found if one["finalists"] == Setting.finalists]
    return "\n\n".join([_coverage(usual), _fields(found), _choice(usual)])


def _fields(found: Sequence[dict[str, float]]) -> str:
    head = ["finalists", "seeds differ by", *(f"{seeds} seeds" for seeds in SEEDS), "misses below, above"]
    rows = []
    for finalists, deviation in product(FINALISTS, DEVIATIONS):
        of_size = [one for one in found if one["finalists"] == finalists]
        kind = {one["seeds"]: one for one in of_size if one["seed_deviation"] == deviation}
        if len(kind) < len(SEEDS):  # not made yet
            continue
        below, above = (100 * fmean(one[name] for one in kind.values()) for name in ("below", "above"))
        held = [f"{100 * kind[seeds]['held']:.1f} %" for seeds in SEEDS]
        rows.append([str(finalists), f"{100 * deviation:.0f} % of the error", *held, f"{below:.1f}, {above:.1f} %"])
    return _markdown(head, rows)


def _coverage(found: Sequence[dict[str, float]]) -> str:
    head = ["accuracy", "test rows", "seeds differ by", *(f"{seeds} seeds" for seeds in SEEDS), "misses below, above"]
    head += ["width, 3 seeds", "one model's interval"]
    rows = []
    for (accuracy, size), deviation in product(KINDS, DEVIATIONS):
        kind = {one["seeds"]: one for one in found if _is(one, accuracy, size, deviation)}
        if len(kind) < len(SEEDS):  # not made yet
            continue
        mean = {name: fmean(one[name] for one in kind.values()) for name in ("below", "above", "one_model_held")}
        rows.append([
            f"{100 * accuracy:.1f} %", f"{size:,}", f"{100 * deviation * (1 - accuracy):.3g} points",
            *(f"{100 * kind[seeds]['held']:.1f} %" for seeds in SEEDS),
            f"{100 * mean['below']:.1f}, {100 * mean['above']:.1f} %",
            f"{100 * kind[3]['width']:.2f} points", f"{100 * mean['one_model_held']:.1f} %",
        ])  # fmt: skip
    return _markdown(head, rows)


def _choice(found: Sequence[dict[str, float]]) -> str:
    head = ["seeds differ by", "final seeds", "picks the best: best validation", "finals"]
    head += ["falls short by: best validation", "finals", "ties", "wrongly told apart", "the same by McNemar"]
    head += ["optimism: true", "printed"]
    rows = []
    for deviation, seeds in product(DEVIATIONS, SEEDS):
        kind = [one for one in found if (one["seed_deviation"], one["seeds"]) == (deviation, seeds)]
        if not kind:
            continue
        mean = {name: fmean(one[name] for one in kind) for name in kind[0]}
        shares = ("naive_best", "finals_best")
        points = ("naive_loss", "finals_loss")
        rows.append([
            f"{100 * deviation:.0f} % of the error", str(seeds),
            *(f"{100 * mean[name]:.1f} %" for name in shares), *(f"{100 * mean[name]:.3f} points" for name in points),
            *(f"{100 * mean[name]:.1f} %" for name in ("tied", "wrong", "wrong_by_models")),
            *(f"{100 * mean[name]:.3f}" for name in ("true_optimism", "optimism")),
        ])  # fmt: skip
    return _markdown(head, rows)


def _is(one: dict[str, float], accuracy: float, rows: int, deviation: float) -> bool:
    return (one["accuracy"], one["rows"], one["seed_deviation"]) == (accuracy, rows, deviation)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_page(text: str, page: Path) -> None:
    """Put the tables between their two marks on the page."""
    begin, end = MARK.format("begin"), MARK.format("end")
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _alone(task: tuple[Setting, int]) -> dict[str, float]:
    return {**asdict(task[0]), "studies": task[1], **run(*task)}


def main() -> None:
    """Simulate, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="of each kind")
    parser.add_argument("--most", type=int, default=1000, help="kinds at a time; those in the file are not made again")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=HERE / "results" / "interval_coverage.json")
    parser.add_argument("--page", action="store_true", help="write the tables into docs/statistics.md")
    given = parser.parse_args()
    found = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else []
    known = [{name: one.get(name) for name in (*asdict(settings()[0]), "studies")} for one in found]
    tasks = [(one, given.studies) for one in settings() if {**asdict(one), "studies": given.studies} not in known]
    with pool(given.processes) as hands:
        for one in hands.map(_alone, tasks[: given.most]):
            found.append(one)
            print(" ".join(f"{key}={value:.4g}" for key, value in one.items()), flush=True)
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(tables(found))
    if given.page:
        write_page(tables(found), PAGE)


if __name__ == "__main__":
    main()
