"""What the records of a ledger add up to: every trial, its fits, and how far the study is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpsearch.records import (
    Answered,
    Asked,
    AttemptBegan,
    FinalistsChosen,
    News,
    Planned,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    TestCurve,
    TestLooked,
    TestOpened,
    Verdict,
)
from hpsearch.space import Parameter, Values, once
from hpsearch.trial import CUT_OFF, Attempt, AttemptEnd, Built, Failure, Fit, How, Measure, Status, Trial, TrialResult

OUT_OF_TIME = "time"
MOST_LOSSES = 3  # of attempts at a fit in a session, and of sessions that end with it before it is tried alone


@dataclass(slots=True)
class Course:
    """How one trial went so far, with the values it asked for, which its result has too.

    `session` counts the sessions up to the one in which it was worked on last, 0 where none has begun with it.
    `tried` says that it was worked on since it had its last result, if it ever had one.
    A study may have very many: an ended one keeps no more than its result.
    """

    number: int
    values: Values = field(default_factory=dict)
    built: bool = False
    session: int = 0
    tried: bool = True
    ends: dict[Fit, AttemptEnd] = field(default_factory=dict)
    result: TrialResult | None = None

    @property
    def trial(self) -> Trial:
        """The trial with all values known so far."""
        return Trial(self.number, self.values)


@dataclass
class State:
    """The study as of its last record.

    `cut_off` counts how often in a row a fit's session ended without a word, and no epoch was done in between.
    Of one that begins `anew` every time, it counts what was before its first epoch: later ones are not told again.
    `spent` is the [search] of the last session that opened the test split or came to its end: its budget is spent.
    `chosen_by` is the [final] by which the finalists were chosen, as plain data; None where no session tells it.
    """

    courses: dict[int, Course] = field(default_factory=dict)
    attempts: dict[Fit, int] = field(default_factory=dict)
    running: dict[Fit, Attempt] = field(default_factory=dict)
    epochs: dict[Fit, int] = field(default_factory=dict)
    cut_off: dict[Fit, int] = field(default_factory=dict)
    anew: set[Fit] = field(default_factory=set)
    ended_trials: int = 0
    failures: list[Failure] = field(default_factory=list)
    failures_in_a_row: int = 0
    space: tuple[Parameter, ...] = ()
    planned: Planned | None = None
    session: SessionBegan | None = None
    sessions: int = 0
    spent: Mapping[str, Any] | None = None
    finalists: tuple[int, ...] = ()
    chosen_by: Mapping[str, Any] | None = None
    finals: dict[Fit, AttemptEnd] = field(default_factory=dict)
    opened: TestOpened | None = None
    openings: int = 0
    judged: set[str] = field(default_factory=set)  # the SHA-256 of every model that the test split was shown to
    test_curves: dict[str, tuple[float, ...]] = field(default_factory=dict)  # of final fits, by name
    verdict: Verdict | None = None
    ended: SessionEnded | None = None
    searched: float = 0.0
    last: int = 0

    @property
    def results(self) -> list[TrialResult]:
        """The results of all ended trials, by number (trials are asked for in the order of their numbers)."""
        return [course.result for course in self.courses.values() if course.result]

    def with_status(self, status: Status) -> list[TrialResult]:
        """The results of one status."""
        return [result for result in self.results if result.status is status]

    def status(self, trial: int) -> Status:
        """How a trial stands: one without a result is running only if the last session lasts and has begun with it."""
        course = self.courses[trial]
        if course.result:
            return course.result.status
        if not course.session:
            return Status.ASKED
        lasts = self.ended is None and course.session == self.sessions
        return Status.RUNNING if lasts else Status.INTERRUPTED

    def take(self, news: News) -> None:
        """Add the next record."""
        self.searched, self.last = news.searched, news.number
        body = news.body
        match body:
            case Asked(trial):
                self.courses[trial.number] = Course(trial.number)
            case Answered(number, parameter, value):
                course = self.courses[number]
                course.values = {**course.values, once(parameter.name): value}  # none is changed that a result may have
            case AttemptBegan(attempt):
                self._reopen(attempt.fit)
                self.attempts[attempt.fit] = attempt.number
                self.running[attempt.fit] = attempt
                if attempt.fit.kind == "search":
                    course = self.courses[attempt.fit.trial]
                    course.session, course.tried = self.sessions, True
            case Built():
                self._build(body)
            case Measure(attempt, epoch):
                self.epochs[attempt.fit] = max(epoch, self.epochs.get(attempt.fit, 0))
                self.cut_off.pop(attempt.fit, None)
            case AttemptEnd(attempt):
                self._end(body)
            case TrialResult():
                self._close(body)
            case _:
                self._note(body)

    def _reopen(self, fit: Fit) -> None:
        """More search after the finals began: they are to be held again, and the test split opened once more."""
        if self.finalists and fit.kind == "search":
            self._choose(())

    def _choose(self, finalists: tuple[int, ...]) -> None:
        """Take these for finalists in place of any before: what those came to counts no more."""
        self.verdict, self.opened, self.finalists = None, None, finalists
        self.chosen_by = self._table("final")
        self.test_curves.clear()

    def _table(self, name: str) -> Mapping[str, Any] | None:
        return self.session.experiment.get(name) if self.session else None

    def _build(self, told: Built) -> None:
        fit = told.attempt.fit
        (self.anew.add if told.anew else self.anew.discard)(fit)
        if fit.kind == "search":
            self.courses[fit.trial].built = True

    def _end(self, end: AttemptEnd) -> None:
        fit = end.attempt.fit
        self.running.pop(fit, None)
        if end.reason == CUT_OFF and not (fit in self.anew and self.epochs.get(fit)):
            self.cut_off[fit] = self.cut_off.get(fit, 0) + 1
        if end.how is not How.FINISHED:
            return
        self.cut_off.pop(fit, None)
        self.anew.discard(fit)
        if fit.kind == "search":  # a final may be made once more, and tell its epochs again
            self.epochs.pop(fit, None)
            self.courses[fit.trial].ends[fit] = end
        elif not end.failure:  # a final that failed is tried again by the next session
            self.finals[fit] = end

    def _close(self, result: TrialResult) -> None:
        course = self.courses[result.trial.number]
        self.ended_trials += course.result is None
        course.result, course.tried = result, False
        if result.reason != OUT_OF_TIME:
            course.ends.clear()
        self.failures_in_a_row = self.failures_in_a_row + 1 if result.failure else 0
        if result.failure:
            self.failures.append(result.failure)

    def _note(self, body: object) -> None:
        match body:
            case SessionBegan():
                self.session, self.ended, self.sessions = body, None, self.sessions + 1
                self.running.clear()
            case SpaceFound(parameters):
                self.space = parameters
            case Planned():
                self.planned = body
            case FinalistsChosen(trials):
                self._choose(trials)
            case TestOpened():
                self.opened, self.openings, self.spent = body, self.openings + 1, self._table("search")
                self.judged |= body.shown
            case TestCurve(fit, accuracies):
                self.test_curves[fit] = accuracies
            case TestLooked():
                self.judged |= body.shown
            case Verdict():
                self.verdict = body
            case SessionEnded():
                self.ended, self.spent = body, self._table("search") if body.finished else self.spent
                self._give_finals_another_chance()

    def _give_finals_another_chance(self) -> None:
        """A final that was given up is tried alone once more by the next session, as one that failed is tried again."""
        for fit, times in self.cut_off.items():
            if fit.kind != "search":
                self.cut_off[fit] = min(times, MOST_LOSSES)

    def taken_up(self) -> list[Course]:
        """The trials to go on with, by number: those without a result, and those that only ran out of time."""
        return [
            course for course in self.courses.values() if course.result is None or course.result.reason == OUT_OF_TIME
        ]
