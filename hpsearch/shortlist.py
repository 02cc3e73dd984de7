"""Chooses whom the finals train again: the best trials, and among them those that the race dropped.

Who is dropped is clearly worse than the leader, but not than a trial that was finished before there was a leader to
fall behind. So a dropped trial stands here by the folds that it has: as far behind the leader as it was on these.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from hpsearch.objective import Objective
from hpsearch.race import dropped
from hpsearch.search import candidates
from hpsearch.study import Study
from hpsearch.trial import Status, TrialResult


def finalists(study: Study) -> list[int]:
    """The numbers of the trials that the finals take, best first; none where no trial completed."""
    few = [result for result in study.state.with_status(Status.PRUNED) if dropped(result)]
    return ranked(study.experiment.objective, candidates(study), few)[: study.experiment.final.finalists]


def ranked(objective: Objective, whole: Sequence[TrialResult], few: Iterable[TrialResult]) -> list[int]:
    """The trials' numbers, best first; `whole` has all folds, best first, `few` only some of them.

    The scores of different folds are not compared, because some folds are harder for every trial.
    """
    scores = {result.trial.number: result.score for result in whole}
    leader = next((result for result in whole if result.status is Status.COMPLETED and result.scores), None)
    if leader and leader.score is not None:
        scores |= {result.trial.number: leader.score - fmean(gaps) for result in few if (gaps := _gaps(leader, result))}
    return sorted(scores, key=lambda number: (objective.key(scores[number]), number))


def _gaps(leader: TrialResult, other: TrialResult) -> list[float]:
    """How far the leader is ahead on each fold that both have."""
    return [leader.scores[part] - score for part, score in other.scores.items() if part in leader.scores]
