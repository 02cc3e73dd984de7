"""Remembers each trial's score by epoch; an epoch heard again (in a resumed fit) replaces itself."""

import math
from collections import defaultdict

from hpsearch.objective import Objective


class Curves:
    """What was heard so far; scores that are not finite are left out."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._scores: defaultdict[int, dict[int, float]] = defaultdict(dict)

    def hear(self, trial: int, epoch: int, score: float) -> None:
        """Take in a score."""
        if math.isfinite(score):
            self._scores[trial][epoch] = score

    def best(self, trial: int, epoch: int) -> float | None:
        """The best score up to an epoch; None if there is none."""
        return min(self._until(trial, epoch), key=self._objective.key, default=None)

    def mean(self, trial: int, epoch: int) -> float | None:
        """The mean score up to an epoch; None if there is none."""
        scores = self._until(trial, epoch)
        return math.fsum(scores) / len(scores) if scores else None

    def _until(self, trial: int, epoch: int) -> list[float]:
        return [score for at, score in self._scores[trial].items() if at <= epoch]
