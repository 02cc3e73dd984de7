"""Keeps in mind what the board shows: the attempts under way, the trials that lead, and how far the study is."""

import time
from bisect import insort
from collections import Counter
from dataclasses import dataclass, field

from hpsearch.experiment import Experiment
from hpsearch.records import (
    Answered,
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
from hpsearch.varying import Varying

Place = tuple[bool, bool, float, int]  # without a score, not completed, sorting key of the score, number


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
    """What the board knows. `since` is when this session's first record came, by the monotonic clock.

    `ranked` holds the trials with a score, best first, the completed before the others; `counts` how many ended
    how; `done` how many have ended and will not be taken up again. They are kept up to date, because the board
    is drawn four times a second.
    """

    experiment: Experiment
    workers: int
    running: dict[Fit, Under] = field(default_factory=dict)
    ended: dict[int, TrialResult] = field(default_factory=dict)
    ranked: list[Place] = field(default_factory=list)
    counts: Counter[Status] = field(default_factory=Counter)
    done: int = 0
    finals: dict[Fit, AttemptEnd] = field(default_factory=dict)
    varying: Varying = field(default_factory=Varying)
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
            case Answered() | SpaceFound() | TrialResult() as body:
                self._take_trial(body)
            case AttemptBegan() | Built() | Measure() | AttemptEnd() as body:
                self._take_attempt(body)
            case FinalistsChosen() | TestOpened() | Verdict() as body:
                self._take_final(body)

    def _take_trial(self, body: Answered | SpaceFound | TrialResult) -> None:
        match body:
            case Answered() | SpaceFound():
                self.varying.take(body)
            case TrialResult(trial):
                if before := self.ended.get(trial.number):  # it got more time
                    self._count(before, -1)
                    self.ranked.remove(self._place(before))
                self.ended[trial.number] = body
                self._count(body, 1)
                insort(self.ranked, self._place(body))

    def _count(self, result: TrialResult, one: int) -> None:
        self.counts[result.status] += one
        self.done += one if result.reason != OUT_OF_TIME else 0

    def _place(self, result: TrialResult) -> Place:
        scored = result.score is not None
        key = self.experiment.objective.key(result.score)
        return not scored, result.status is not Status.COMPLETED, key, result.trial.number

    def _take_attempt(self, body: AttemptBegan | Built | Measure | AttemptEnd) -> None:
        match body:
            case AttemptBegan(attempt):
                self._reopen(attempt.fit)
                self.running[attempt.fit] = Under(attempt)
            case Built(attempt) if under := self.running.get(attempt.fit):
                under.built = True
            case Measure():
                self._measure(body)
            case AttemptEnd(attempt):
                self.running.pop(attempt.fit, None)
                if attempt.fit.kind != "search" and body.how is How.FINISHED:
                    self.finals[attempt.fit] = body

    def _reopen(self, fit: Fit) -> None:
        """More search after the finals began, as in `State`: they are to be held again."""
        if self.finalists and fit.kind == "search":
            self.finalists, self.verdict, self.stage = (), None, "search"

    def _take_final(self, body: FinalistsChosen | TestOpened | Verdict) -> None:
        match body:
            case FinalistsChosen(trials):
                self.finalists, self.verdict, self.stage = trials, None, "finals"
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
        first = self.ranked[:most]
        return [self.ended[place[3]] for place in first if place[:2] == first[0][:2] and not place[0]]

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
