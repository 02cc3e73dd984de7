"""Has fits made, each to its one end: an attempt that was lost is made again, from its checkpoint."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from hpsearch.errors import ExperimentRefused
from hpsearch.orders import ENDS_SESSION, Event, Order, Question
from hpsearch.protocols import Executor
from hpsearch.reached import reached
from hpsearch.records import AttemptBegan
from hpsearch.space import Parameter, Value
from hpsearch.splits import Splits
from hpsearch.state import MOST_LOSSES
from hpsearch.study import Study
from hpsearch.trial import Attempt, AttemptEnd, Built, Failure, Fit, How, Measure

WISH_REFUSED = "space wish"
INTERRUPTED = "interrupted"  # a stop after which the next session goes on


class Crew:
    """The workers of one study, as those see them who have fits to make."""

    def __init__(self, study: Study, executor: Executor, splits: Splits) -> None:
        """Have the executor's workers make fits of this study, and have the ledger hear of everything."""
        self.splits = splits
        self._study, self._executor = study, executor
        self._running: dict[Fit, Attempt] = {}
        self._until: dict[Fit, int | None] = {}
        self._losses: Counter[Fit] = Counter()
        self._stopped: dict[Fit, str] = {}
        self._refused: dict[Fit, Failure] = {}
        self._waiting: list[tuple[Fit, int | None]] = []  # until they can begin alone, see `free`

    @property
    def free(self) -> bool:
        """Whether another fit could begin now: none beside one that is suspected of having killed the coordinator.

        Such a one was under way when three sessions in a row ended without a word, and did no epoch in between. When it
        has done one, it is a fit like others; should the fourth end in the same way, it was alone, and is given up.
        """
        return self._executor.free() > 0 and not self._waiting and not any(map(self._suspected, self._running))

    def _suspected(self, fit: Fit) -> bool:
        return self._study.state.cut_off.get(fit, 0) >= MOST_LOSSES

    def full(self, trial: int) -> bool:
        """Whether a trial has as many fits under way as it may: half of the hands at most, but one."""
        hands = self._executor.free() + len(self._running)
        return sum(fit.trial == trial for fit in self._running) >= max(1, hands // 2)

    @property
    def running(self) -> list[Fit]:
        """The fits under way."""
        return list(self._running)

    @property
    def searching(self) -> bool:
        """Whether fits of the search, rather than of the finals, are under way or wait to begin alone."""
        return any(fit.kind == "search" for fit in (*self._running, *(fit for fit, _ in self._waiting)))

    def begin(self, fit: Fit, until: int | None = None) -> None:
        """Begin a fit, or go on with one that has a checkpoint; one that is suspected as soon as it is alone."""
        if self._running and self._suspected(fit):
            self._waiting.append((fit, until))
            return
        state = self._study.state
        attempt = Attempt(fit, state.attempts.get(fit, 0) + 1)
        self._study.record(AttemptBegan(attempt), durable=True)
        self._running[fit], self._until[fit] = attempt, until
        course = state.courses[fit.trial]
        complete = course.built and fit.kind == "search"  # finals may take a branch that hp.task decides
        self._executor.submit(Order(attempt, self.splits.file(fit), dict(course.values), until, complete))

    def news(self, timeout: float) -> Iterator[Event]:
        """What came from the workers, already in the ledger; an AttemptEnd only when its fit has ended for good."""
        for event in self._executor.events(timeout):
            if self._running.get(event.attempt.fit) != event.attempt:
                continue  # too late: the attempt was given up, and another may have taken its place
            match event:
                case Measure(attempt, epoch) if epoch <= self._study.state.epochs.get(attempt.fit, 0):
                    continue  # told again by an attempt that took a checkpoint up
                case Built() | Measure():
                    freed = isinstance(event, Measure) and event.attempt.fit in self._study.state.cut_off
                    self._study.record(event, durable=freed)  # of suspicion, see `free`
                    yield event
                case AttemptEnd():
                    if end := self._ended(event):
                        yield end
                    self._study.ledger.commit()  # with the trial's result, if this was its last fit
                    if self._waiting and not self._running:
                        self.begin(*self._waiting.pop(0))
                case question:
                    yield question
        self._study.ledger.commit_due()

    def _ended(self, end: AttemptEnd) -> AttemptEnd | None:
        fit = end.attempt.fit
        if refused := self._refused.pop(fit, None):
            end = replace(end, how=How.FINISHED, reason="", failure=refused)
        self._study.record(end)
        del self._running[fit]
        until = self._until.pop(fit)
        stopped = self._stopped.pop(fit, "")
        if end.how is not How.LOST:
            return end
        for error in ENDS_SESSION:  # other fits under way go on from their checkpoints, as after Ctrl-C
            if end.failure and end.failure.kind == error.__name__:
                raise error(end.failure.message)
        if stopped:
            end = replace(end, how=How.INTERRUPTED, reason=stopped)  # it was killed because it did not heed its stop
            return end if stopped == INTERRUPTED else reached(self._study, [fit], stopped).get(fit, end)
        self._losses[fit] += 1
        if self._losses[fit] >= MOST_LOSSES:
            return end
        self.begin(fit, until)
        return None

    def reply(self, question: Question, choose: Callable[[int, Parameter], Value]) -> None:
        """Answer a worker's question by what is chosen for its trial's parameter.

        Where [space] wants of that what it cannot grant, which sample builds did not come to, the fit fails.
        """
        attempt = question.attempt
        try:
            value = choose(attempt.fit.trial, question.parameter)
        except ExperimentRefused as refused:
            self._refused[attempt.fit] = Failure(WISH_REFUSED, str(refused))
            self._executor.stop(attempt, WISH_REFUSED, at_once=True)
        else:
            self._executor.answer(attempt, value)

    def stop(self, reason: str, *, trial: int | None = None, kind: str | None = None, at_once: bool = False) -> None:
        """Stop the fits under way, or those of one trial, or of one kind."""

        def meant(fit: Fit) -> bool:
            return trial in {None, fit.trial} and kind in {None, fit.kind}

        self._waiting = [(fit, until) for fit, until in self._waiting if not meant(fit)]
        for fit, attempt in self._running.items():
            if meant(fit):
                self._stopped.setdefault(fit, reason)  # one that was pruned stays so when all is interrupted
                self._executor.stop(attempt, reason, at_once=at_once)
