"""The search: while there is a free hand and budget, ask the tuner, have the trial made, and hear how it goes."""

from collections.abc import Callable
from itertools import islice

from hpsearch import plugins, race
from hpsearch.crew import INTERRUPTED, Crew
from hpsearch.desk import Desk
from hpsearch.errors import HpsearchError, Interrupted, SameFailureRepeated
from hpsearch.final_fits import FinalFits
from hpsearch.orders import Event, Question
from hpsearch.protocols import Pruner, Pruning, Tuner
from hpsearch.pruners.none import NoPruner
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Built, Fit, Measure, TrialResult

PATIENCE_SECONDS = 0.2
SAME_FAILURES = 3


def search(
    study: Study, tuner: Tuner, pruner: Pruner, crew: Crew, leave: Callable[[], bool], finals: FinalFits | None = None
) -> str:
    """Search until the budget is spent, and give the reason why it ended; raise Interrupted when told to leave.

    Hands for which no trial is left begin fits of `finals`, see `Desk.certain_finalists`; some may still be under way
    when the search is over.
    """
    desk, pruning = Desk(study, tuner, race.taken_up(study, crew.splits)), _Pruning(study, pruner)
    study.clock.start()
    try:
        while True:
            while crew.free and not leave() and (fit := desk.next_fit(crew.full) or _final(desk, finals)):
                crew.begin(fit)
            if not (crew.searching or (crew.running and leave())):
                break
            for event in crew.news(PATIENCE_SECONDS):
                if finals and event.attempt.fit.kind != "search":
                    finals.hear(event, crew)
                elif result := _hear(event, crew, desk, pruning):
                    _heed_failures(study, result)
            _hurry(crew, desk, leave)
    finally:
        study.clock.stop()
    if leave():
        message = "interrupted"
        raise Interrupted(message)
    desk.close_for_time()
    if not desk.reason:
        message = "the tuner waits for a trial to end, but none is under way"
        raise HpsearchError(message)
    return desk.reason


def _hear(event: Event, crew: Crew, desk: Desk, pruning: "_Pruning") -> TrialResult | None:
    """Do what the event asks for; give the result of the trial that it ends, if it does."""
    match event:
        case Question():
            crew.reply(event, desk.answer)
        case Built() | Measure() if reason := pruning.hear(event):
            crew.stop(reason, trial=event.attempt.fit.trial, at_once=True)
        case AttemptEnd(attempt) if result := desk.fit_ended(event, pruning.reason(attempt.fit.trial)):
            crew.stop("the trial has ended", trial=result.trial.number, at_once=True)
            pruning.forget(result)
            return result
    return None


def _final(desk: Desk, finals: FinalFits | None) -> Fit | None:
    return finals.next(desk.certain_finalists()) if finals else None


def _hurry(crew: Crew, desk: Desk, leave: Callable[[], bool]) -> None:
    if leave():
        crew.stop(INTERRUPTED, at_once=True)
    elif desk.out_of_time:
        crew.stop(OUT_OF_TIME, kind="search")


def _heed_failures(study: Study, result: TrialResult) -> None:
    if result.failure is None:
        return
    what = f"{result.failure.kind}: {result.failure.message}"
    if _first_fail_alike(study):
        text = f"the first {SAME_FAILURES} trials failed in the same way\n  {what}"
        raise SameFailureRepeated(f"{text}\n\n{result.failure.traceback}".rstrip())
    wanted, failures = study.experiment.search, len(study.state.failures)
    if failures >= wanted.max_failures:
        message = f"{failures} trials failed (search.max_failures); the last: {what}"
        raise HpsearchError(message)
    if study.state.failures_in_a_row >= wanted.max_consecutive_failures:
        times = study.state.failures_in_a_row
        message = f"{times} trials in a row failed (search.max_consecutive_failures); the last: {what}"
        raise HpsearchError(message)


def _first_fail_alike(study: Study) -> bool:
    """Whether the first trials, by number, failed in one way, and none has ended in another.

    The first to end would not do: what fails at once ends before the healthy trials that began beside it.
    """
    failures, courses = study.state.failures, study.state.courses.values()
    if study.state.ended_trials > len(failures) or len({(one.kind, one.message) for one in failures}) > 1:
        return False
    first = [course.result for course in islice(courses, SAME_FAILURES)]
    return len(first) == SAME_FAILURES and all(first)


class _Pruning:
    """What the pruner hears: each trial's objective, epoch by epoch, in its first fit.

    The other folds and repeats are for the race to judge: some folds are harder for every trial, so that a trial in
    its first would stand behind those that are in easier ones.

    It hears the epochs of a warm-up too, but its wish to stop a trial is let pass until the warm-up has ended.
    So no pruner has to know of warm-ups or of gaps, and what errs, errs towards going on: the low score of a trial
    that still warms up puts nobody behind it, but adds one to those of whom a share goes on; it lowers a median.
    """

    def __init__(self, study: Study, pruner: Pruner) -> None:
        self._pruner, self._metric = pruner, study.experiment.objective.metric
        self._name = study.experiment.search.pruner
        self._reasons: dict[int, str] = {}
        self._warmups: dict[int, int] = {}
        if isinstance(pruner, NoPruner):  # there may be hundreds of thousands of measures
            return
        for news in study.ledger.recall((Built, Measure, TrialResult)):
            match news.body:
                case Built() | Measure() as told:
                    self.hear(told)
                case TrialResult() as result:
                    self.forget(result)

    def hear(self, told: Built | Measure) -> str:
        """Tell the pruner of a measure; give its reason from the first time on that its wish to stop a trial counts."""
        fit = told.attempt.fit
        first = fit.kind == "search" and (fit.repeat, fit.fold) == (0, 0)
        match told:
            case Built():
                if first:
                    self._warmups[fit.trial] = told.warmup_epochs
                return ""
            case Measure():
                if first and self._metric in told.metrics:
                    self._hear_score(fit.trial, told.epoch, told.metrics[self._metric])
                return self.reason(fit.trial)

    def _hear_score(self, trial: int, epoch: int, score: float) -> None:
        with plugins.blaming("pruners", self._name, f"it heard of epoch {epoch} of trial {trial}"):
            pruning = self._pruner.hear(trial, epoch, score)
        if pruning and not isinstance(pruning, Pruning):
            message = f"the pruner {self._name!r} answered {pruning!r} to an epoch: it gives a Pruning, or None"
            raise HpsearchError(message)
        if pruning and epoch >= self._warmups.get(trial, 0):
            self._reasons.setdefault(trial, pruning.reason)

    def reason(self, trial: int) -> str:
        """Why the trial was to be stopped, if it was."""
        return self._reasons.get(trial, "")

    def forget(self, ended: TrialResult) -> None:
        """Let go of a trial that has ended for good; one that only time cut short may go on."""
        if ended.reason != OUT_OF_TIME:
            for known in (self._reasons, self._warmups):
                known.pop(ended.trial.number, None)
