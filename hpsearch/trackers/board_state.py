"""Keeps in mind what the board shows: the attempts under way, the trials that lead, and how far the study is."""

import time
from dataclasses import dataclass, field

from hpsearch.experiment import Experiment
from hpsearch.records import (
    Answered,
    Asked,
    AttemptBegan,
    FinalistsChosen,
    News,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    TestOpened,
    Verdict,
)
from hpsearch.state import OUT_OF_TIME
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, How, Measure, Status, TrialResult


@dataclass
class Under:
    """An attempt under way: its last epoch, that epoch's score, the best so far, and seconds an epoch."""

    attempt: Attempt
    epoch: int = 0
    last: float | None = None
    best: float | None = None
    seconds: float = 0.0
    built: bool = False


@dataclass
class BoardState:
    """What the board knows. `since` is when this session's first record came, by the monotonic clock."""

    experiment: Experiment
    workers: int
    running: dict[Fit, Under] = field(default_factory=dict)
    results: dict[int, TrialResult] = field(default_factory=dict)
    finals: list[AttemptEnd] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)
    finalists: tuple[int, ...] = ()
    verdict: Verdict | None = None
    stage: str = "search"
    searched: float = 0.0
    heard: int = 0
    since: float = field(default_factory=time.monotonic)

    def take(self, news: News) -> None:
        """Add the next record; one heard before changes nothing."""
        if news.number <= self.heard:
            return
        self.heard, self.searched, self.since = news.number, news.searched, time.monotonic()
        match news.body:
            case SessionBegan() | SessionEnded():
                self.running.clear()
            case Asked() | Answered() | SpaceFound() | TrialResult() as body:
                self._take_trial(body)
            case AttemptBegan() | Built() | Measure() | AttemptEnd() as body:
                self._take_attempt(body)
            case FinalistsChosen() | TestOpened() | Verdict() as body:
                self._take_final(body)

    def _take_trial(self, body: Asked | Answered | SpaceFound | TrialResult) -> None:
        match body:
            case Asked(trial):
                self.asked.add(trial.number)
            case SpaceFound(parameters):
                self.fixed |= {parameter.name for parameter in parameters if parameter.kind == "fixed"}
            case Answered(_, parameter) if parameter.kind == "fixed":
                self.fixed.add(parameter.name)
            case TrialResult(trial):
                self.results[trial.number] = body

    def _take_attempt(self, body: AttemptBegan | Built | Measure | AttemptEnd) -> None:
        match body:
            case AttemptBegan(attempt):
                self.running[attempt.fit] = Under(attempt)
            case Built(attempt) if under := self.running.get(attempt.fit):
                under.built = True
            case Measure():
                self._measure(body)
            case AttemptEnd(attempt):
                self.running.pop(attempt.fit, None)
                if attempt.fit.kind != "search" and body.how is How.FINISHED:
                    self.finals.append(body)

    def _take_final(self, body: FinalistsChosen | TestOpened | Verdict) -> None:
        match body:
            case FinalistsChosen(trials):
                self.finalists, self.stage = trials, "finals"
            case TestOpened():
                self.stage = "test"
            case Verdict():
                self.verdict, self.stage = body, "done"

    def _measure(self, measure: Measure) -> None:
        under = self.running.get(measure.attempt.fit)
        if under is None:
            return
        under.epoch, under.seconds = measure.epoch, measure.seconds
        under.last = measure.metrics.get(self.experiment.objective.metric)
        if under.last is not None and self.experiment.objective.better(under.last, under.best):
            under.best = under.last

    def leaders(self, most: int) -> list[TrialResult]:
        """The completed trials, best first; while there are none, those that came to any score."""
        scored = [result for result in self.results.values() if result.score is not None]
        whole = [result for result in scored if result.status is Status.COMPLETED] or scored
        key = self.experiment.objective.key
        return sorted(whole, key=lambda result: (key(result.score), result.trial.number))[:most]

    def count(self, status: Status) -> int:
        """How many trials ended so."""
        return sum(result.status is status for result in self.results.values())

    @property
    def done(self) -> int:
        """How many trials have ended and will not be taken up again."""
        return sum(result.reason != OUT_OF_TIME for result in self.results.values())

    def seconds(self) -> float:
        """Seconds of searching up to now, also between two records."""
        return self.searched + (time.monotonic() - self.since if self.stage == "search" and self.running else 0.0)

    def left(self) -> float | None:
        """About how many seconds of searching are left; None while nothing can be said."""
        wanted, guesses = self.experiment.search.trials, []
        if self.experiment.seconds is not None:
            guesses.append(self.experiment.seconds - self.seconds())
        if wanted is not None and self.done:
            guesses.append((wanted - self.done) * self.seconds() / self.done)
        return max(0.0, min(guesses)) if guesses and self.stage == "search" else None
