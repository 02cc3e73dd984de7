"""Races simulated trials by the program's own rules, and counts what was dropped, wrongly dropped, saved and lost.

python benchmarks/racing.py --studies 400

Whether a simulated fit gets an image right depends on how good its configuration is, how difficult the image is, how
the two get on, the luck of the fit's seed (which shifts all images), and luck on this image alone; so accuracies,
disagreement between models and their correlation over images are those of real networks, and the truth is known:
the expected accuracy of each configuration over new images and seeds. Trials come one after another, and all their
fits are made, so that each study is judged with and without the race.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hpsearch.race import Race
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Status, Trial, TrialResult
from pages import put, table
from pools import pool

Floats = NDArray[np.float64]
Landscape = Callable[[np.random.Generator, int], Floats]
IMAGES, CONFIGURATION = 2.0, 0.5  # how much images differ in difficulty, and configurations in what they find difficult
LARGE = 200_000  # images over all trials of a study; of larger ones a quarter as many are made
UNSTABLE = 0.05  # the spread of a configuration that seeds upset
HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results" / "racing.json", HERE.parent / "docs" / "racing.md"


def wide(chance: np.random.Generator, trials: int) -> Floats:
    """A random search: most are good, the best a little better, one in five is bad."""
    good = 0.97 - 0.015 * chance.exponential(size=trials)
    bad = chance.random(trials) < 1 / 5
    return np.where(bad, chance.uniform(0.2, 0.9, trials), np.clip(good, 0.2, 0.97))


def close(chance: np.random.Generator, trials: int) -> Floats:
    """Only good trials, a third of a percent apart."""
    return np.clip(0.95 + 0.003 * chance.standard_normal(trials), 0.9, 0.99)


def equal(_chance: np.random.Generator, trials: int) -> Floats:
    """All alike: the leader leads by nothing but luck."""
    return np.full(trials, 0.95)


LANDSCAPES: dict[str, Landscape] = {"wide": wide, "close": close, "equal": equal}


@dataclass(frozen=True)
class Setting:
    """One kind of study: `spread` is the standard deviation of a configuration's true accuracy over seeds.

    `unstable` is the share of the configurations whose accuracy has a spread of 0.05 instead.
    """

    landscape: str
    trials: int
    folds: int
    images: int
    spread: float
    unstable: float = 0.0


@dataclass(frozen=True)
class Repeated(Setting):
    """One whose fits are repeats on the same images, and not folds."""


@dataclass(frozen=True)
class Found:
    """What came of one study; `worthy` counts trials that are truly as good as the leader they were raced against."""

    dropped: int
    worthy: int
    wronged: int
    saved_fits: int
    best_lost: bool
    winner_lost: bool
    regret: float


class World:
    """The truth of one study, and its fits."""

    def __init__(self, setting: Setting, chance: np.random.Generator) -> None:
        """Draw images and configurations."""
        self._setting, self._chance = setting, chance
        self.truth = LANDSCAPES[setting.landscape](chance, setting.trials)
        self._hard = IMAGES * chance.standard_normal(setting.images)
        images, self._repeated = np.arange(setting.images), isinstance(setting, Repeated)
        self._rows = [images] * setting.folds if self._repeated else np.array_split(images, setting.folds)
        spread = np.where(chance.random(setting.trials) < setting.unstable, UNSTABLE, setting.spread)
        self._latent = [_latent(accuracy, width) for accuracy, width in zip(self.truth, spread, strict=True)]
        self._hits: dict[Fit, NDArray[np.bool_]] = {}

    def fits(self, trial: int) -> list[Fit]:
        """All fits of a trial, trained."""
        level, width = self._latent[trial]
        taste = CONFIGURATION * self._chance.standard_normal(self._setting.images)
        places = range(self._setting.folds)
        fits = [Fit(trial, 0, repeat=place) if self._repeated else Fit(trial, 0, fold=place) for place in places]
        for fit in fits:
            rows = self.rows(fit)
            luck = width * self._chance.standard_normal() + self._chance.standard_normal(len(rows))
            self._hits[fit] = level + self._hard[rows] + taste[rows] + luck > 0
        return fits

    def rows(self, fit: Fit) -> NDArray[np.int64]:
        """The validation rows of a fold; all images in a repeat."""
        return self._rows[fit.repeat + fit.fold]

    def hits(self, fit: Fit) -> NDArray[np.bool_]:
        """Which of them were right."""
        return self._hits[fit]


def _latent(accuracy: float, spread: float) -> tuple[float, float]:
    """The level of a configuration, and the width of its seeds' luck, that give this accuracy with this spread."""
    normal = NormalDist()
    quantile = normal.inv_cdf(accuracy)
    slope = normal.pdf(quantile)  # accuracy per unit of the standardised level
    noise = IMAGES**2 + CONFIGURATION**2 + 1
    share = min(0.9, (spread / slope) ** 2)  # of all variance
    width = float(np.sqrt(noise * share / (1 - share)))
    return quantile * float(np.sqrt(noise + width**2)), width


def race(setting: Setting, seed: int) -> Found:
    """Race one study."""
    world = World(setting, np.random.default_rng([seed, *f"{setting}".encode()]))
    racing, whole, dropped = Race(setting.folds, world), {}, {}
    leader, worthy, wronged = -1, 0, 0
    for trial in range(setting.trials):
        fits = world.fits(trial)
        scores = [float(world.hits(fit).mean()) for fit in fits]
        whole[trial] = float(np.mean(scores))
        fair = leader >= 0 and bool(world.truth[trial] >= world.truth[leader])
        worthy += fair
        used = next(_raced(racing, fits, scores))
        if used < setting.folds:
            dropped[trial] = used
            wronged += fair
        status = Status.PRUNED if used < setting.folds else Status.COMPLETED
        racing.hear(TrialResult(Trial(trial), status, float(np.mean(scores[:used]))))
        if trial not in dropped and (leader < 0 or whole[trial] > whole[leader]):
            leader = trial
    winner = max(whole, key=lambda trial: whole[trial])
    return Found(
        len(dropped), worthy, wronged, sum(setting.folds - used for used in dropped.values()),
        int(np.argmax(world.truth)) in dropped, winner in dropped, float(world.truth[winner] - world.truth[leader]),
    )  # fmt: skip


def _raced(racing: Race, fits: list[Fit], scores: list[float]) -> Iterator[int]:
    """After how many of its fits a trial ended."""
    for used, (fit, score) in enumerate(zip(fits, scores, strict=True), 1):
        racing.hear(AttemptEnd(Attempt(fit), How.FINISHED, 1.0, score, 1))
        if racing.reason(fit.trial) or used == len(fits):
            yield used


def settings() -> Iterator[Setting]:
    """What is simulated."""
    for landscape in LANDSCAPES:
        for folds, images in ((3, 5_000), (5, 5_000), (10, 5_000), (5, 50_000)):
            for spread in (0.0, 0.003, 0.01):
                if folds == 5 or spread == 0.003:  # noqa: PLR2004  # each is varied on its own
                    yield Setting(landscape, 20, folds, images, spread)
    yield Setting("wide", 100, 5, 5_000, 0.003)
    yield Setting("equal", 100, 5, 5_000, 0.003)
    yield Setting("wide", 20, 5, 5_000, 0.003, unstable=0.3)
    yield Setting("close", 20, 5, 5_000, 0.003, unstable=0.3)
    for landscape in LANDSCAPES:
        for repeats in (3, 5):
            yield Repeated(landscape, 20, repeats, 5_000, 0.003)


def summed(setting: Setting, found: list[Found]) -> dict[str, float | int | str]:
    """The rates over many studies of one kind."""
    total: Counter[str] = Counter()
    for one in found:
        total.update(asdict(one))
    studies = len(found)
    return asdict(setting) | {
        "repeated": isinstance(setting, Repeated),
        "studies": studies,
        "dropped": total["dropped"] / studies / setting.trials,
        "saved": total["saved_fits"] / studies / setting.trials / setting.folds,
        "worthy": total["worthy"],
        "wronged": total["wronged"] / max(1, total["worthy"]),
        "best_lost": total["best_lost"] / studies,
        "winner_lost": total["winner_lost"] / studies,
        "regret": total["regret"] / studies,
    }


def page(lines: list[dict[str, float | int | str]]) -> str:
    """The rates as a table."""
    head = ["", "trials", "folds", "images", "spread", "dropped", "fits saved", "false drops", "best dropped"]
    rows = [
        [
            f"{one['landscape']}{', unstable' if one['unstable'] else ''}{', repeats' if one['repeated'] else ''}",
            *(f"{one[key]:,}" for key in ("trials", "folds", "images")),
            f"{100 * float(one['spread']):.1f} %",
            *(f"{100 * float(one[key]):.0f} %" for key in ("dropped", "saved")),
            f"{100 * float(one['wronged']):.1f} % of {one['worthy']:,}",
            *(f"{100 * float(one[key]):.1f} %" for key in ("best_lost", "winner_lost")),
            f"{100 * float(one['regret']):.3f} %",
        ]
        for one in lines
    ]
    return table([*head, "winner dropped", "accuracy lost"], rows)


def main() -> None:
    """Simulate every setting, write the rates down and put them on the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--read", action="store_true", help="simulate nothing, put on the page what was found before")
    options = parser.parse_args()
    if not options.read:
        RESULTS.write_text(json.dumps(_simulated(options.studies, options.workers), indent=1) + "\n")
    put(PAGE, "simulated", page(json.loads(RESULTS.read_text())))


def _simulated(studies: int, workers: int) -> list[dict[str, float | int | str]]:
    lines = []
    with pool(workers) as hands:
        for setting in settings():
            count = studies if setting.trials * setting.images <= LARGE else studies // 4
            found = list(hands.map(partial(race, setting), range(count), chunksize=8))
            lines.append(summed(setting, found))
            print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    return lines


if __name__ == "__main__":
    main()
