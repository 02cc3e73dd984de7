"""Shows how near the bootstrap's luck comes to the true one in studies that are made up so that the truth is known.

    python benchmarks/luck_told.py --studies 100

The bootstrap is asked as hpsearch asks it; as it would be if the luck of seeds were normal for accuracies themselves;
and with the deviation over seeds of all trials, each trained on a dozen more seeds, which no study knows.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from hpsearch.luck import PLAIN, SHARES, Scale, luck_of_the_best, pooled_deviation
from hpsearch.statistics import alike
from pages import put, table
from pools import pool
from simulated_finals import Setting, Simulated, simulate

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results" / "luck_told.json", HERE.parent / "docs" / "statistics.md"
MORE_SEEDS, TESTED = 12, 100
KINDS = product((0.0, 0.5), (0.9, 0.98), (0.02, 0.1, 0.3))
SETTINGS = tuple(
    Setting(accuracy, TESTED, deviation, seeds, unlike=unlike)
    for unlike, accuracy, deviation in KINDS
    for seeds in ((3, 10) if deviation == 0.3 else (3,))  # noqa: PLR2004  # where it is hardest
)
HEAD = (
    "configurations differ in it", "accuracy", "seeds differ by", "final seeds", "luck: true", "told",
    "told, were it normal for accuracies", "told, were all trials' seeds known",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One study: the luck that was, that is told, and that would be told; all as shares of the images."""

    true: float
    told: float
    plainly: float
    knowing: float


def tell(setting: Setting, number: int) -> Told:
    """Make up a study, and ask the bootstrap three times."""
    study = simulate(setting, np.random.default_rng([number, 4]))
    finals = [standing.scores for standing in study.standings]
    images = study.world.images(setting.validation)
    again = [
        study.world.rights(images, trial, study.world.seeds(trial, MORE_SEEDS)).mean(axis=0)
        for trial in range(setting.trials)
    ]
    asked = ((alike(_on(SHARES, finals)), SHARES), (alike(_on(PLAIN, finals)), PLAIN), (_on(SHARES, again), SHARES))
    return Told(float(study.searched.max()) - study.fair, *(_luck(study, number, *one) for one in asked))


def _on(scale: Scale, groups: Sequence[Sequence[float]]) -> list[list[float]]:
    return [scale.of(np.asarray(group)).tolist() for group in groups]


def _luck(study: Simulated, seed: int, groups: Sequence[Sequence[float]], scale: Scale) -> float:
    return luck_of_the_best(study.searched.tolist(), pooled_deviation(groups) or 0.0, seed, scale)


def line(setting: Setting, found: list[Told]) -> list[str]:
    """A row of the table, in points of accuracy: means over the studies."""
    unlike = f"by a factor of {np.exp(setting.unlike):.1f}" if setting.unlike else "not"
    accuracy, differ = f"{100 * setting.accuracy:.0f} %", f"{100 * setting.seed_deviation:.0f} % of the error"
    means = 100 * np.mean([astuple(one) for one in found], axis=0)
    return [unlike, accuracy, differ, str(setting.seeds), *(f"{one:.2f}" for one in means)]


def main() -> None:
    """Make studies up, write down what was found, and put it on the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with pool(options.workers) as hands:
        rows = [line(one, list(hands.map(partial(tell, one), range(options.studies)))) for one in SETTINGS]
    RESULTS.write_text(json.dumps({"studies": options.studies, "rows": rows}, indent=1) + "\n")
    put(PAGE, "luck", table(HEAD, rows))


if __name__ == "__main__":
    main()
