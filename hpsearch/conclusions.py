"""Draws from the finals how sure the verdict is: the interval, who ties with the winner, what was luck."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

from hpsearch.objective import Objective
from hpsearch.records import Comparison, FoldComparison
from hpsearch.seeds import derive
from hpsearch.trial import Fit, Status, TrialResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Interval = tuple[float, float]
TWO = 2  # of what varies there must be, so that anything can be said of how much


@dataclass(frozen=True)
class Standing:
    """A finalist that came through: its score for each seed, and which test images its judged models read rightly.

    `by_fold` has the score of each fold (by repeat and fold) in a study with folds. `rights` (bool, one a test image)
    stand by fit, in the order of the seeds; `median` is the fit that stands for all. `failed` counts the seeds that
    have no score.
    """

    trial: int
    scores: tuple[float, ...]
    by_fold: Mapping[tuple[int, int], float] = field(default_factory=dict)
    rights: Mapping[Fit, "NDArray[np.bool_]"] = field(default_factory=dict)
    median: Fit | None = None
    failed: int = 0

    @property
    def table(self) -> "NDArray[np.bool_]":
        """All rights together: images × seeds."""
        import numpy as np

        return np.stack(list(self.rights.values()), axis=1)

    @property
    def varied(self) -> bool:
        """Whether two images or more were shown to two models or more."""
        return len(self.rights) >= TWO and len(self.table) >= TWO


def interval(standings: Sequence[Standing]) -> "Interval":
    """Where the winner's expected accuracy lies; its one model's accuracy where one model, or one image, was judged."""
    from hpsearch import statistics

    winner = standings[0]
    if not winner.varied:
        right = winner.rights[winner.median or next(iter(winner.rights))]
        return statistics.accuracy_of_one(int(right.sum()), len(right))
    others = [other.table for other in standings[1:] if other.varied]
    return statistics.expected_accuracy(winner.table, others)


def comparisons(standings: Sequence[Standing]) -> tuple[Comparison, ...]:
    """The winner beside each other finalist whose models were judged, too."""
    winner, *others = standings
    pairs = len(list(combinations(standings, 2)))
    return tuple(_compare(winner, other, pairs) for other in others if other.median and winner.median)


def _compare(winner: Standing, other: Standing, pairs: int) -> Comparison:
    from hpsearch import statistics

    ours, theirs = (one.rights[one.median] for one in (winner, other) if one.median)
    only_winner, only_other = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    told = Comparison(other.trial, only_winner, only_other, statistics.mcnemar(only_winner, only_other))
    if not (winner.varied and other.varied):
        return told
    gap, bounds = statistics.difference(winner.table, other.table, pairs)
    return Comparison(told.trial, told.only_winner_right, told.only_other_right, told.p, gap, bounds)


def fold_comparisons(
    objective: Objective, standings: Sequence[Standing], folds: int, image: float = 0.0
) -> tuple[FoldComparison, ...]:
    """The winner beside each other finalist, on the folds that both came through, if these are two or more.

    `image` is what one image counts in the score of a fold, if it is an accuracy.
    """
    from hpsearch import statistics

    winner, *others = standings
    pairs, found = len(list(combinations(standings, 2))), []
    for other in others:
        shared = [place for place in winner.by_fold if place in other.by_fold]
        gaps = [objective.sign * (winner.by_fold[place] - other.by_fold[place]) for place in shared]
        if len(gaps) >= TWO:
            found.append(FoldComparison(other.trial, *statistics.fold_difference(gaps, folds, pairs, image)))
    return tuple(found)


def ties(
    standings: Sequence[Standing], compared: Sequence[Comparison], on_folds: Sequence[FoldComparison] | None = None
) -> tuple[int, ...]:
    """The finalists that the data do not tell apart from the winner.

    They are told apart by the test split over all seeds; by the validation scores of the same folds where only the
    winner was judged; by the two median models where there is but one seed. Who failed under more seeds than the
    winner is told apart by that.
    """
    pairs = len(list(combinations(standings, 2)))
    others = [other.trial for other in standings[1:] if other.failed <= standings[0].failed]
    if on_folds is not None:
        told_apart = {one.trial for one in on_folds if not one.interval[0] <= 0 <= one.interval[1]}
        return tuple(other for other in others if other not in told_apart)
    alike = {one.trial for one in compared if _holds_nought(one, pairs)}
    return tuple(other for other in others if other in alike)


def _holds_nought(one: Comparison, pairs: int) -> bool:
    from hpsearch.statistics import OUTSIDE

    return one.interval[0] <= 0 <= one.interval[1] if one.interval else one.p * pairs >= OUTSIDE


def optimism(objective: Objective, leader: TrialResult, standings: Sequence[Standing]) -> float | None:
    """How much better the search's best trial scored there than on average in the finals, if it came through them.

    None of one that time cut short, too: the finals trained it for longer, which is no luck.
    """
    scores = next((one.scores for one in standings if one.trial == leader.trial.number), ())
    if leader.score is None or leader.status is not Status.COMPLETED or not scores:
        return None
    return objective.sign * (leader.score - fmean(scores))


def luck(
    objective: Objective, searched: Sequence[TrialResult], standings: Sequence[Standing], seed: int, repeats: int = 1
) -> float | None:
    """How much of the best score of all trials was luck, by bootstrap; None where no finalist has two seeds.

    A score of the search is a mean over so many `repeats`, each under a seed of its own, and has less luck than one of
    the finals, which is of one seed.
    """
    import numpy as np

    from hpsearch import statistics
    from hpsearch.luck import PLAIN, SHARES, luck_of_the_best, pooled_deviation

    scores = [objective.sign * result.score for result in searched if result.score is not None]
    groups = [objective.sign * np.asarray(standing.scores) for standing in standings]
    scale = SHARES if all(0 <= score <= 1 for score in np.concatenate([scores, *groups])) else PLAIN
    deviation = pooled_deviation(statistics.alike([scale.of(group).tolist() for group in groups]))
    if deviation is None:
        return None
    return luck_of_the_best(scores, deviation / math.sqrt(repeats), derive(seed, "luck"), scale)
