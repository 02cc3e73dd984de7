"""Says in plain lines how the study goes: for logs, pipes and CI."""

from statistics import fmean
from typing import TextIO

from hpsearch import tie_words, verdict_words, words
from hpsearch.objective import Objective
from hpsearch.records import Answered, FinalistsChosen, News, SessionBegan, SpaceFound, TestOpened, Verdict
from hpsearch.trial import AttemptEnd, Fit, How, Status, TrialResult
from hpsearch.varying import Varying


class PlainLines:
    """A tracker for places without a cursor: one line when a trial ends, and one for each step of the finals."""

    def __init__(self, objective: Objective, out: TextIO, *, before: int = 0) -> None:
        """Write to a stream; the first `before` records, of earlier sessions, are taken in without a word."""
        self._objective, self._out, self._before = objective, out, before
        self._silent = False
        self._best: float | None = None
        self._varying = Varying()
        self._folds: int | None = None
        self._heard = 0

    def hear(self, news: News) -> None:
        """Write a line if the record is worth one; a record heard before is let pass."""
        if news.number <= self._heard:
            return
        self._heard, self._silent = news.number, news.number <= self._before
        match news.body:
            case SessionBegan(_, experiment):
                self._folds = experiment.get("data", {}).get("folds")
            case SpaceFound() | Answered() as body:
                self._varying.take(body)
            case TrialResult() as result:
                self._trial_ended(result)
            case AttemptEnd(attempt) as end if attempt.fit.kind != "search":
                self._final_ended(end)
            case FinalistsChosen(trials):
                self._say(f"finals: {', '.join(f'trial {trial}' for trial in trials)} on fresh seeds")
            case TestOpened() as opened:
                self._say(f"the test split is opened for {words.count(len(opened.shown), 'model')}")
            case Verdict() as verdict:
                self._verdict(verdict)

    def close(self) -> None:
        """Leave nothing in the stream's buffer."""
        self._out.flush()

    def _trial_ended(self, result: TrialResult) -> None:
        ranked = result.score if result.status is Status.COMPLETED else None
        leads = ranked is not None and self._objective.better(ranked, self._best)
        self._best = ranked if leads else self._best
        epoch = f"epoch {result.best_epoch}" if result.best_epoch else ""
        values = words.values(self._varying.of(result.trial.values))
        line = f"trial {result.trial.number:>4}  {result.status:<9}  {words.score(result.score):>9}  {epoch:<9}  "
        line += f"{words.span(result.seconds):>9}  {'★' if leads else ' '}  {values}"
        self._say(line)
        if result.failure:
            self._say(f"            {words.failure(result.failure)}")

    def _final_ended(self, end: AttemptEnd) -> None:
        fit = end.attempt.fit
        how = words.failure(end.failure) if end.failure else words.score(end.score)
        if end.how is not How.FINISHED:
            how = words.clean(end.reason or end.how)
        self._say(f"final {fit.trial:>4}  {self._part(fit):<9}  {how:>9}  {'':<9}  {words.span(end.seconds):>9}")

    def _part(self, fit: Fit) -> str:
        if fit.kind == "whole":
            return "all rows"
        return f"seed {fit.repeat + 1}" + (f" fold {fit.fold + 1}/{self._folds}" if self._folds else "")

    def _verdict(self, verdict: Verdict) -> None:
        winner = next(finalist for finalist in verdict.finalists if finalist.trial == verdict.winner)
        mean = words.score(fmean(winner.scores)) if winner.scores else "–"
        seeds = words.count(len(winner.scores), "seed")
        self._say(f"finals: trial {verdict.winner} leads with {self._objective.metric} {mean} over {seeds}")
        self._say(verdict_words.winner(verdict, self._objective.metric))
        if failures := verdict_words.failures(verdict):
            self._say(failures)
        if verdict.ties:
            self._say(tie_words.tie(verdict, self._objective.metric))

    def _say(self, line: str) -> None:
        if not self._silent:
            print(line.rstrip(), file=self._out, flush=True)
