"""Adds up from a study's records who worked when, and on what."""

from dataclasses import dataclass

from hpsearch.records import AttemptBegan, News, SessionBegan, SessionEnded
from hpsearch.trial import Attempt, AttemptEnd, Built, How, Measure


@dataclass
class Work:
    """What a worker did, one attempt at a fit: from when to when (seconds of the study), and on what.

    `building` is what building and tracing the model took, `training` its epochs, in seconds; while it runs, `how`
    is "", and when its session ended without it, "lost", as the next session will say.
    """

    trial: int
    kind: str
    began: float
    ended: float
    how: str = ""
    failed: bool = False
    building: float = 0.0
    training: float = 0.0


class Labour:
    """From when to when each session and each attempt lasted; who was cut off ends with the session's last record.

    `spans`, of the sessions, and all else here are seconds since the first session began, standing still between
    sessions. Those of the search are its own, by the monotonic clock. Before and after it there is but the wall clock
    of the records, which never goes back here; but where the machine sleeps during the finals, or its clock is set
    forward, that counts as time of theirs.

    Not of the session are the ends of lost attempts, which the next session writes after a kill before it begins, and
    what is written after the session's end, as looks at the test split are.
    """

    def __init__(self) -> None:
        """Begin before the first record."""
        self.spans: list[tuple[float, float]] = []
        self.work: list[Work] = []
        self._under_way: dict[Attempt, Work] = {}
        self._lasts, self._searches = False, False
        self._now, self._before = 0.0, News(0, 0, 0.0, SessionEnded(finished=False, reason=""))

    def take(self, news: News) -> None:
        """Add the next record."""
        lost = isinstance(news.body, AttemptEnd) and news.body.how is How.LOST
        if self._lasts and not lost and not isinstance(news.body, SessionBegan):
            self._go_on(news)
        match news.body:
            case SessionBegan():
                self.spans.append((self._now, self._now))
                self._lasts, self._searches, self._before = True, False, news
            case AttemptBegan(attempt):
                one = Work(attempt.fit.trial, attempt.fit.kind, self._now, self._now)
                self._under_way[attempt] = one
                self.work.append(one)
            case Built(attempt, building=building, tracing=tracing) if attempt in self._under_way:
                self._under_way[attempt].building = building + tracing
            case Measure(attempt, seconds=seconds) if attempt in self._under_way:
                self._under_way[attempt].training += seconds
            case AttemptEnd(attempt) as end if attempt in self._under_way:
                one = self._under_way.pop(attempt)
                one.how, one.failed, one.ended = end.how.value, end.failure is not None, self._now
        self._lasts = self._lasts and not isinstance(news.body, SessionEnded)

    def _go_on(self, news: News) -> None:
        """Let the time pass that lies between the record before and this one."""
        searched, wall = news.searched - self._before.searched, (news.time_ms - self._before.time_ms) / 1000
        self._now += searched if searched and self._searches else max(searched, wall)
        self._searches, self._before = self._searches or searched > 0, news
        self.spans[-1] = (self.spans[-1][0], self._now)

    def close(self) -> list[Work]:
        """All work, in the order in which it began."""
        for one in self._under_way.values():
            one.ended = self._now
            one.how = "" if self._lasts else How.LOST.value
        return self.work
