"""Stops a trial that is worse than the median of the others at the same epoch.

The median stopping rule of Google Vizier (Golovin et al. 2017, KDD, section 3.2.2): a trial is stopped at an
epoch if its best score by then is worse than the median of the other trials' running means up to that epoch.
Vizier's others are the completed trials; here they are all that came to the epoch, so that it can begin sooner.
A best score against means is a mild rule: it stops what is clearly worse, and saves little where curves rise
slowly (docs/pruning.md).
"""

from collections import defaultdict

from hpsearch.options import whole
from hpsearch.protocols import Brief, Pruning
from hpsearch.pruners.curves import Curves
from hpsearch.pruners.ranks import Ranks


class Median:
    """Stops nothing before `startup_trials` others came to the epoch, nor in the first `warmup_epochs` epochs.

    Nor does it at the last epoch: that fit is whole, and whether a trial is worth others is the race's to say.
    """

    def __init__(self, startup_trials: int = 5, warmup_epochs: int = 3) -> None:
        self._startup = whole("startup_trials", startup_trials, 1)
        self._warmup = whole("warmup_epochs", warmup_epochs, 2)

    def idle(self, brief: Brief) -> str:
        """It stops none where the warm-up comes to the last epoch, nor where there are not so many others."""
        if self._warmup + 1 >= brief.epochs:
            return f"it judges after epoch {self._warmup} (warmup_epochs) and before the last, which is {brief.epochs}"
        if brief.trials is not None and brief.trials <= self._startup:
            return (
                f"it compares with {self._startup} others (startup_trials), and there are {brief.trials} trials in all"
            )
        return ""

    def begin(self, brief: Brief) -> None:
        """Learn which way is up, and which epoch is the last."""
        self._objective, self._curves, self._last = brief.objective, Curves(brief.objective), brief.epochs
        self._means: defaultdict[int, Ranks] = defaultdict(Ranks)

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        """Compare the trial's best score with the median of the others' means; no finite score is the worst."""
        self._curves.hear(trial, epoch, score)
        means, mean = self._means[epoch], self._curves.mean(trial, epoch)
        means.drop(trial)
        middle = means.median() if len(means) >= self._startup else None  # of the others
        if mean is not None:
            means.put(trial, mean)
        if not self._warmup < epoch < self._last or middle is None:
            return None
        best = self._curves.best(trial, epoch)
        if best is not None and not self._objective.better(middle, best):
            return None
        shown = "no number" if best is None else f"{best:.4g}"
        return Pruning(f"best {self._objective.metric} {shown}, median {middle:.4g} at epoch {epoch}")
