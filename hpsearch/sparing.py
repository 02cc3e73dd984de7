"""Counts from a study's records what pruning spared: the epochs that stopped trials were not trained for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.experiment import RACED
from hpsearch.objective import Objective
from hpsearch.records import News, SessionBegan
from hpsearch.state import OUT_OF_TIME
from hpsearch.trial import AttemptEnd, Fit, How, Measure, Status, TrialResult


@dataclass(frozen=True)
class Spared:
    """What pruning spared among the trials that have ended.

    `asked_epochs` is what all fits of these trials would have had, every fold and repeat; `spared_epochs` is what
    those did not have that a pruner or the race stopped. What early stopping, a spent time budget or a failure cut is
    not in it.
    """

    stopped_trials: int
    ended_trials: int
    spared_epochs: int
    asked_epochs: int

    @property
    def share(self) -> float:
        """The spared epochs as a share of those asked for."""
        return self.spared_epochs / max(1, self.asked_epochs)

    def __str__(self) -> str:
        trials = f"{self.stopped_trials} of {self.ended_trials} trials were stopped early"
        epochs = f"{self.spared_epochs} of {self.asked_epochs} epochs were not trained"
        return f"{trials}; {epochs} ({100 * self.share:.0f} %)"


class Sparing:
    """A fold of a study's records, as far as they tell of epochs."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self._experiment: Mapping[str, Any] = {}
        self._trained: dict[int, dict[Fit, int]] = {}
        self._finished: set[Fit] = set()
        self._results: dict[int, TrialResult] = {}

    def take(self, news: News) -> None:
        """Add the next record."""
        match news.body:
            case SessionBegan(experiment=experiment):
                self._experiment = experiment
            case Measure(attempt, epoch) if attempt.fit.kind == "search":
                trained = self._trained.setdefault(attempt.fit.trial, {})
                trained[attempt.fit] = max(epoch, trained.get(attempt.fit, 0))
            case AttemptEnd(attempt, How.FINISHED):
                self._finished.add(attempt.fit)
            case TrialResult(trial) as result:
                self._results[trial.number] = result

    def spared(self) -> Spared | None:
        """What was spared so far; None where the study has no pruner and no race."""
        if not _cuts(self._experiment):
            return None
        stopped = [number for number, result in self._results.items() if _by_pruner(result)]
        data, train = self._experiment["data"], self._experiment["train"]
        fits, epochs = (data["folds"] or 1) * data["repeats"], train["epochs"]
        spared = sum(fits * epochs - self._used(number, epochs) for number in stopped)
        return Spared(len(stopped), len(self._results), spared, fits * epochs * len(self._results))

    def _used(self, trial: int, epochs: int) -> int:
        """The epochs of a trial that pruning did not spare: a fit that came to its own end used all it was given."""
        trained = self._trained.get(trial, {}).items()
        return sum(epochs if fit in self._finished else reached for fit, reached in trained)


def _cuts(experiment: Mapping[str, Any]) -> bool:
    """Whether the study has a pruner, or several fits a trial, of which a race may leave some out."""
    data, search = experiment.get("data", {}), experiment.get("search", {})
    several = (data.get("folds") or 1) * data.get("repeats", 1) > 1
    raced = several and search.get("race") is not False and Objective.parse(search["objective"]) == RACED
    return search.get("pruner", "none") != "none" or raced


def _by_pruner(result: TrialResult) -> bool:
    return result.status is Status.PRUNED and result.reason != OUT_OF_TIME


def count(story: Iterable[News]) -> Spared | None:
    """What was spared in a study, by its records from the first."""
    sparing = Sparing()
    for news in story:
        sparing.take(news)
    return sparing.spared()
