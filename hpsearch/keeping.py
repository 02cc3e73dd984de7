"""Keeps what may still be needed of ended trials, and deletes the rest: checkpoints, and weights of the many."""

from bisect import insort
from collections.abc import Iterator

from hpsearch.claiming import PART, clear_away
from hpsearch.fits import search_fits
from hpsearch.paths import FitFiles
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import TrialResult

HALF_WRITTEN = f".*{PART}"  # by a worker that was killed; see files.write


class Keeping:
    """Knows the best few trials of a study, so that the end of another costs the same however many there were."""

    def __init__(self, study: Study) -> None:
        """Begin with the trials that ended before."""
        self._study = study
        self._leaders: list[tuple[float, int]] = []  # best first
        for result in study.state.results:
            self._rank(result)
        self._sweep()

    def _sweep(self) -> None:
        """Delete what a kill right after a trial's end left, and weights that no longer count since `keep` is less."""
        few = {number for _, number in self._leaders}
        for folder in self._study.paths.fits.glob("search-*"):
            number = folder.name.split("-")[1]
            if number.isdecimal() and self._ended_for_good(trial := int(number)):  # else it is a person's own
                kept = FitFiles(folder)
                kept.checkpoint.unlink(missing_ok=True)
                if trial not in few:
                    kept.weights.unlink(missing_ok=True)

    def _rank(self, ended: TrialResult) -> list[tuple[float, int]]:
        """Take a trial into the order; give those that are no longer, or never came, among the best few."""
        number = ended.trial.number
        self._leaders = [leader for leader in self._leaders if leader[1] != number]  # it may have got more time
        if ended.score is None:
            return [(0.0, number)]
        insort(self._leaders, (self._study.experiment.objective.key(ended.score), number))
        kept = self._study.experiment.train.keep
        behind, self._leaders = self._leaders[kept:], self._leaders[:kept]
        return behind

    def tidy(self, ended: TrialResult) -> None:
        """After a trial: its checkpoints go, and weights stay for the best few only, and where time may be added."""
        if self._ended_for_good(ended.trial.number):
            for kept in self._files(ended.trial.number):
                kept.checkpoint.unlink(missing_ok=True)
                clear_away(kept.folder, HALF_WRITTEN)
        for _, number in self._rank(ended):
            if self._ended_for_good(number):  # else it goes on from its best epoch, also where it gets no better
                for kept in self._files(number):
                    kept.weights.unlink(missing_ok=True)

    def _ended_for_good(self, trial: int) -> bool:
        course = self._study.state.courses.get(trial)
        return course is not None and course.result is not None and course.result.reason != OUT_OF_TIME

    def _files(self, trial: int) -> Iterator[FitFiles]:
        for fit in search_fits(self._study.experiment, trial):
            yield self._study.paths.fit(fit.name)


def let_go_of_finals(study: Study) -> None:
    """Delete the checkpoints of the finals: once there is a verdict, nobody goes on with one."""
    for fit in study.state.attempts:
        if fit.kind != "search":
            kept = study.paths.fit(fit.name)
            kept.checkpoint.unlink(missing_ok=True)
            clear_away(kept.folder, HALF_WRITTEN)
