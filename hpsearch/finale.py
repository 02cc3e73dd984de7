"""The finals: the best trials once more on fresh seeds, one winner, and one look at the test split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median_low

from hpsearch import epoch_curves, provenance
from hpsearch.conclusions import Standing
from hpsearch.crew import INTERRUPTED, Crew
from hpsearch.errors import Interrupted, NothingCompleted
from hpsearch.final_fits import FinalFits
from hpsearch.leaving import Leave
from hpsearch.protocols import Executor, Prepared
from hpsearch.records import FinalistsChosen, Verdict
from hpsearch.search import PATIENCE_SECONDS
from hpsearch.shortlist import cut_short, finalists
from hpsearch.state import MOST_LOSSES
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Fit
from hpsearch.verdict import OneLook
from hpsearch.worker.unchanged import Code


@dataclass
class Finale:
    """The finals of one study; `foresee` begins what makes their end sooner, once there is a hand without work."""

    study: Study
    crew: Crew
    executor: Executor
    data: Prepared
    code: Code
    leave: Leave
    foresee: Callable[[], object] = bool

    def __post_init__(self) -> None:
        """Begin none of their fits; the search may, for its idle hands."""
        self.fits = FinalFits(self.study)

    def hold(self) -> Verdict:
        """Train the finalists, choose the winner, open the test split; what was done in earlier sessions stands.

        Raises Interrupted when told to leave while models are trained, AtOnce from then on; StudyChanged when the code
        changed since the session began.
        """
        finalists = self._finalists()
        if self.study.state.verdict:
            return self.study.state.verdict
        if not self.study.state.opened:  # else a seed that failed could come through now, and change who won
            self._make((fit, None) for fit in self.fits.of(finalists))
        ranking = self._ranking()
        models = self._models(ranking)
        self.foresee()
        self.leave.at_once_from_here()  # judging can be begun again: the models are listed first, and stay the same
        look = OneLook(self.study, self.executor, self.data, self.code)
        judgements = look.judge(models)
        epoch_curves.judge(self.study, self.executor, self.code, self.data, models)
        verdict = look.verdict(ranking, judgements)
        self.study.record(verdict, durable=True)
        return verdict

    def _finalists(self) -> Sequence[int]:
        """Those who were chosen, or by another [final] than theirs those who are: then the finals are held again."""
        state = self.study.state
        if state.finalists and not provenance.final_differences(state.chosen_by, self.study.experiment):
            return state.finalists
        best = finalists(self.study)
        if not best:
            name = self.study.experiment.name
            mend = "give it more search.time" if cut_short(self.study) else f"see why with: hpsearch show {name}"
            message = f"no trial completed, so there is nothing to choose from\n  {mend}"
            raise NothingCompleted(message)
        chosen = FinalistsChosen(tuple(best))
        self.study.record(chosen, durable=True)
        return chosen.trials

    def _make(self, fits: Iterator[tuple[Fit, int | None]]) -> None:
        cut_off, begun = self.study.state.cut_off, self.fits.early
        due = (one for one in fits if one[0] not in begun and not self.fits.made(*one))
        due = (one for one in due if cut_off.get(one[0], 0) <= MOST_LOSSES)
        waiting = sorted(due, key=lambda one: cut_off.get(one[0], 0), reverse=True)  # the first begin alone, see Crew
        while waiting or self.crew.running:
            while waiting and self.crew.free and not self.leave():
                self.crew.begin(*waiting.pop(0))
            if self.crew.free and not self.leave():
                self.foresee()
            for event in self.crew.news(PATIENCE_SECONDS):
                self.fits.hear(event, self.crew)
            if self.leave():
                self.crew.stop(INTERRUPTED, at_once=True)
                waiting = []
        if self.leave():
            message = "interrupted"
            raise Interrupted(message)

    def _ranking(self) -> list[Standing]:
        """The finalists that came through, each with a score a seed: who failed under fewest, then the best mean.

        A configuration that diverges under some seeds is no better for those under which it did not.
        """
        standings = [standing for trial in self.study.state.finalists if (standing := self._standing(trial)).scores]
        if not standings:
            name = self.study.experiment.name
            message = f"every finalist failed when it was trained again\n  see why with: hpsearch show {name}"
            raise NothingCompleted(message)
        objective = self.study.experiment.objective
        return sorted(standings, key=lambda standing: (standing.failed, objective.key(fmean(standing.scores))))

    def _standing(self, trial: int) -> Standing:
        folds, ends = self.study.experiment.data.folds or 1, self._ends(trial).items()
        scores = {(fit.repeat, fit.fold): end.score for fit, end in ends if end.score is not None}
        by_seed = [[score for (repeat, _), score in scores.items() if repeat == seed] for seed in self.fits.seeds]
        through = tuple(fmean(whole) for whole in by_seed if len(whole) == folds)
        return Standing(trial, through, scores, failed=len(by_seed) - len(through))

    def _ends(self, trial: int) -> dict[Fit, AttemptEnd]:
        """How a finalist's fits came out; by an earlier [final] it may have been trained on more seeds than now."""
        opened, ends, seeds = self.study.state.opened, self.study.state.finals.items(), self.fits.seeds
        own = {fit: end for fit, end in ends if (fit.trial, fit.kind) == (trial, "final") and fit.repeat in seeds}
        return {fit: end for fit, end in own.items() if opened or self.fits.made(fit)}

    def _models(self, ranking: list[Standing]) -> dict[Fit, Path]:
        """The models that the test split will judge: those it was opened for, if it was opened before."""
        winner, final = ranking[0].trial, self.study.experiment.final
        fits = [fit for standing in ranking for fit in self._ends(standing.trial)]
        if self.study.experiment.data.folds:
            fits = self._whole_fits(winner, self.fits.seeds)
        elif final.refit:
            fits += self._whole_fits(winner, range(1))
        if opened := self.study.state.opened:
            fits = [fit for fit in fits if fit.name in opened.models]
        refit = bool(final.refit) and not (self.study.experiment.data.folds or opened)
        if not any(fit.trial == winner and (fit.kind == "whole" or not refit) for fit in fits):
            mend = "run the experiment again to retry" + (", or without final.refit" if refit else "")
            message = f"trial {winner} won, but training its model failed; {mend}"
            raise NothingCompleted(message)
        in_order = sorted(fits, key=lambda fit: (fit.trial, fit.kind, fit.repeat))
        return {fit: self.study.paths.fit(fit.name).model for fit in in_order}

    def _whole_fits(self, trial: int, seeds: range) -> list[Fit]:
        """Train a configuration on all training rows, for the median of its best epochs; those that came through.

        Once the test split was opened none is trained any more.
        """
        epochs = self._median_best_epoch(trial)
        fits = self.fits.whole(trial, seeds)
        if self.study.state.opened:
            return [fit for fit in fits if fit in self.study.state.finals]
        self._make(iter([(fit, epochs) for fit in fits]))
        return [fit for fit in fits if self.fits.made(fit, epochs)]

    def _median_best_epoch(self, trial: int) -> int:
        return median_low([end.best_epoch for end in self._ends(trial).values() if end.best_epoch])
