"""Chooses whom the finals train again: the best trials, and among them those that have some of their folds only.

Who is dropped is clearly worse than the leader, but not than a trial that was finished before there was a leader to
fall behind. So a dropped trial stands here by the folds that it has: as far behind the leader as it was on these. And
so does a trial that time cut short, by the folds that had come to their end.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import Protocol

from hpsearch.experiment import Experiment
from hpsearch.objective import Objective
from hpsearch.race import dropped
from hpsearch.state import OUT_OF_TIME, State
from hpsearch.trial import Status, TrialResult, distinct


class Searched(Protocol):
    """A study, or what its ledger tells of it: what was asked for, and what came of it."""

    @property
    def experiment(self) -> Experiment:
        """What was asked for."""

    @property
    def state(self) -> State:
        """What came of it."""


def finalists(study: Searched) -> list[int]:
    """The numbers of the trials that the finals take, best first; none where none came to the end of a fit."""
    return [result.trial.number for result in islice(best_first(study), study.experiment.final.finalists)]


def best_first(study: Searched) -> Iterator[TrialResult]:
    """All that could come into the finals.

    Each has values of its own: of trials that a tuner gave the same values, the best stands for all.
    """
    whole, few = candidates(study), [*filter(dropped, study.state.with_status(Status.PRUNED)), *cut_short(study)]
    results = {result.trial.number: result for result in (*whole, *few)}
    return distinct(results[number] for number in ranked(study.experiment.objective, whole, few))


def candidates(study: Searched) -> list[TrialResult]:
    """The trials whose scores can be compared, best first: the completed ones, and those only time cut short.

    Where a trial has several fits, one that was cut short lacks some, and its score is the mean of others.
    """
    objective, data = study.experiment.objective, study.experiment.data
    whole = study.state.with_status(Status.COMPLETED)
    cut = [] if data.several else cut_short(study)
    scored = [result for result in (*whole, *cut) if result.score is not None]
    return sorted(scored, key=lambda result: (objective.key(result.score), result.trial.number))


def cut_short(study: Searched) -> list[TrialResult]:
    """The trials that only time cut short."""
    return [result for result in study.state.with_status(Status.PRUNED) if result.reason == OUT_OF_TIME]


def ranked(objective: Objective, whole: Sequence[TrialResult], few: Sequence[TrialResult]) -> list[int]:
    """The trials' numbers, best first; `whole` has all folds, best first, `few` only some of them.

    The scores of different folds are not compared, because some folds are harder for every trial. Where no trial is
    whole, the one with most folds stands for the leader.
    """
    scores = {result.trial.number: result.score for result in whole}
    leaders = whole or sorted(few, key=lambda result: len(result.scores), reverse=True)
    if leader := next((result for result in leaders if result.scores), None):
        level = fmean(leader.scores.values())
        scores |= {result.trial.number: level - fmean(gaps) for result in few if (gaps := _gaps(leader, result))}
    return sorted(scores, key=lambda number: (objective.key(scores[number]), number))


def _gaps(leader: TrialResult, other: TrialResult) -> list[float]:
    """How far the leader is ahead on each fold that both have."""
    return [leader.scores[part] - score for part, score in other.scores.items() if part in leader.scores]
