"""Stops all but the best share of the trials at epochs that grow geometrically.

ASHA, the asynchronous successive halving algorithm, in its stopping form (Li et al. 2018, arXiv:1810.05934,
section 3.1): a trial that comes to a rung goes on if it is among the best 1/η of those that came there so far.
The first rung is by default half-way. Where learning rates fall towards the end, as in the shipped search spaces, the
ranks of early epochs may say little of the last: on MNIST (20 trials of a perceptron, docs/pruning.md) rungs
from epoch 3 on lost more than the same epochs spent on fewer trials without a pruner.
"""

from collections import defaultdict
from math import ceil, isfinite

from hpsearch.options import whole
from hpsearch.protocols import Brief, Pruning
from hpsearch.pruners.curves import Curves
from hpsearch.pruners.ranks import Ranks

LEAST = 3  # epochs before a first rung; earlier curves cross too often to judge by


class ASHA:
    """Keeps the best 1/`reduction_factor` at the epochs `min_epochs` × `reduction_factor`ⁿ below the last epoch.

    Unless given, `min_epochs` is half of the epochs, and 3 at least.
    """

    def __init__(self, reduction_factor: int = 3, min_epochs: int | None = None) -> None:
        self._factor = whole("reduction_factor", reduction_factor, 2)
        self._first = min_epochs if min_epochs is None else whole("min_epochs", min_epochs, LEAST)

    def idle(self, brief: Brief) -> str:
        """It stops none without a rung below the last epoch, nor where too few trials come to one."""
        if (first := self._first_rung(brief)) >= brief.epochs:
            return f"it first judges at epoch {first} (min_epochs), which is not before the last of {brief.epochs}"
        if brief.trials is not None and brief.trials < self._factor:
            return f"it keeps one of {self._factor} trials (reduction_factor), and there are {brief.trials}"
        return ""

    def _first_rung(self, brief: Brief) -> int:
        return self._first or max(LEAST, ceil(brief.epochs / 2))

    def begin(self, brief: Brief) -> None:
        """Set up the rungs below the last epoch."""
        self._objective, self._curves = brief.objective, Curves(brief.objective)
        self._rungs = set()
        epoch = self._first_rung(brief)
        while epoch < brief.epochs:
            self._rungs.add(epoch)
            epoch *= self._factor
        self._reached: defaultdict[int, Ranks] = defaultdict(Ranks)

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        """At a rung, compare the trial's best score with those of the trials that came there before."""
        self._curves.hear(trial, epoch, score)
        if epoch not in self._rungs:
            return None
        reached, mine = self._reached[epoch], self._objective.key(self._curves.best(trial, epoch))
        reached.put(trial, mine)
        if len(reached) < self._factor:  # too few to name a best share: everyone goes on
            return None
        place, kept = 1 + reached.below(mine), len(reached) // self._factor
        if place <= kept and isfinite(mine):  # it is infinite where no score was a number
            return None
        return Pruning(f"place {place} of {len(reached)} at epoch {epoch}, the best {kept} go on")
