"""Holds finals after simulated races, to see whether the right trials came into them.

python benchmarks/racing_finals.py --studies 200

Three choices of finalists of the same study go through the same finals: without a race; from the completed trials of a
race alone; and as the program chooses, which counts dropped trials by the folds they had. What a configuration comes to
in the finals (three fresh seeds on every fold) is drawn once, and the truth is known.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import racing
from hpsearch.objective import Objective
from hpsearch.race import Race
from hpsearch.shortlist import ranked
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Status, Trial, TrialResult
from pages import put, table
from pools import pool

FINALISTS, SEEDS = 3, 3
HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results" / "racing_finals.json", HERE.parent / "docs" / "racing.md"
HEAD = [
    "", "folds", "spread", "finalists as without the race: completed only", "as chosen",
    "finalists worse by: completed only", "as chosen", "winner worse by: completed only", "as chosen",
]  # fmt: skip
SETTINGS = (
    racing.Setting("wide", 20, 5, 5_000, 0.003),
    racing.Setting("steep", 20, 5, 5_000, 0.003),
    racing.Setting("steep", 20, 3, 5_000, 0.003),
    racing.Setting("steep", 20, 5, 5_000, 0.01),
    racing.Setting("wide", 20, 5, 5_000, 0.003, unstable=0.3),
    racing.Setting("steep", 20, 5, 5_000, 0.003, unstable=0.3),
)


def steep(chance: np.random.Generator, trials: int) -> NDArray[np.float64]:
    """The best stand far apart, so that whoever comes after the leader is dropped."""
    return np.clip(0.97 - 0.06 * chance.exponential(size=trials), 0.2, 0.97)


class World(racing.World):
    """A world in which a configuration can be trained again."""

    def __init__(self, setting: racing.Setting, chance: np.random.Generator) -> None:
        """Draw images and configurations, and what these find difficult."""
        racing.LANDSCAPES["steep"] = steep
        super().__init__(setting, chance)
        self._tastes = racing.CONFIGURATION * chance.standard_normal((setting.trials, setting.images))

    def fits(self, trial: int, repeat: int = 0) -> list[Fit]:
        """The fits of a trial, or those of its finals under one seed, trained."""
        level, width = self._latent[trial]
        fits = [Fit(trial, 0, repeat=repeat, fold=fold) for fold in range(self._setting.folds)]
        for fit in fits:
            rows = self.rows(fit)
            luck = width * self._chance.standard_normal() + self._chance.standard_normal(len(rows))
            self._hits[fit] = level + self._hard[rows] + self._tastes[trial][rows] + luck > 0
        return fits

    def final(self, trial: int) -> float:
        """The trial's mean score in the finals."""
        fits = [fit for repeat in range(1, SEEDS + 1) for fit in self.fits(trial, repeat)]
        return float(np.mean([self.hits(fit).mean() for fit in fits]))


def study(setting: racing.Setting, seed: int) -> list[list[float]]:
    """For each choice: how many finalists are those without a race, their mean truth, and the winner's."""
    world = World(setting, np.random.default_rng([seed, *f"{setting}".encode()]))
    race, made, raced = Race(setting.folds, world), [], []
    for trial in range(setting.trials):
        fits = world.fits(trial)
        scores = [float(world.hits(fit).mean()) for fit in fits]
        made.append(_result(trial, scores))
        raced.append(_raced(race, fits, scores))
        race.hear(raced[-1])
    whole = [one for one in raced if one.status is Status.COMPLETED]
    few = [one for one in raced if one.status is Status.PRUNED]
    choices = [_best(made, []), _best(whole, []), _best(whole, few)]
    finals = {trial: world.final(trial) for trial in sorted(set().union(*choices))}
    return [
        [len({*choice} & {*choices[0]}), float(np.mean(world.truth[choice])), world.truth[max(choice, key=finals.get)]]  # type: ignore[arg-type]  # all are there
        for choice in choices
    ]


def _best(whole: Sequence[TrialResult], few: Sequence[TrialResult]) -> list[int]:
    ordered = sorted(whole, key=lambda one: -(one.score or 0))
    return ranked(Objective.parse("max val_accuracy"), ordered, few)[:FINALISTS]


def _raced(race: Race, fits: Sequence[Fit], scores: Sequence[float]) -> TrialResult:
    for used, (fit, score) in enumerate(zip(fits, scores, strict=True), 1):
        race.hear(AttemptEnd(Attempt(fit), How.FINISHED, 1.0, score, 1))
        if reason := race.reason(fit.trial):
            return _result(fit.trial, scores[:used], reason)
    return _result(fits[0].trial, scores)


def _result(trial: int, scores: Sequence[float], reason: str = "") -> TrialResult:
    status = Status.PRUNED if reason else Status.COMPLETED
    by_fold = {f"fold_{place}": score for place, score in enumerate(scores, 1)}
    return TrialResult(Trial(trial), status, float(np.mean(scores)), reason=reason, scores=by_fold)


def line(setting: racing.Setting, found: Sequence[Sequence[Sequence[float]]]) -> list[str]:
    """A row of the table: means over the studies."""
    (_, without, best), (same, completed, won), (alike, chosen, gained) = np.mean(found, axis=0)
    lost = [without - completed, without - chosen, best - won, best - gained]
    name = f"{setting.landscape}{', unstable' if setting.unstable else ''}"
    spread = f"{100 * setting.spread:.1f} %"
    return [name, str(setting.folds), spread, *(f"{one:.2f} of {FINALISTS}" for one in (same, alike)),
            *(f"{100 * one + 0:.3f} %" for one in lost)]  # fmt: skip


def main() -> None:
    """Simulate, write down what was found, and put it on the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with pool(options.workers) as hands:
        rows = [
            line(one, list(hands.map(partial(study, one), range(options.studies), chunksize=8))) for one in SETTINGS
        ]
    RESULTS.write_text(json.dumps({"studies": options.studies, "rows": rows}, indent=1) + "\n")
    put(PAGE, "finals", table(HEAD, rows))


if __name__ == "__main__":
    main()
