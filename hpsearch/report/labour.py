"""Adds up from a study's records who worked when, and on what."""

from dataclasses import dataclass

from hpsearch.records import AttemptBegan, News, SessionBegan, SessionEnded
from hpsearch.trial import Attempt, AttemptEnd, Built, How, Measure


@dataclass
class Work:
    """What a worker did, one attempt at a fit: from when to when (Unix milliseconds), and on what.

    `building` is what building and tracing the model took, `training` its epochs, in seconds; while it runs, `how`
    is "", and when its session ended without it, "lost", as the next session will say.
    """

    trial: int
    kind: str
    began: int
    ended: int
    how: str = ""
    failed: bool = False
    building: float = 0.0
    training: float = 0.0


class Labour:
    """From when to when each session and each attempt lasted; who was cut off ends with the session's last record.

    Not of the session are the ends of lost attempts, which the next session writes after a kill before it begins, and
    what is written after the session's end, as looks at the test split are.
    """

    def __init__(self) -> None:
        """Begin before the first record."""
        self.sessions: list[tuple[int, int]] = []
        self.work: list[Work] = []
        self._under_way: dict[Attempt, Work] = {}
        self._lasts = False

    def take(self, news: News) -> None:
        """Add the next record."""
        match news.body:
            case SessionBegan():
                self.sessions.append((news.time_ms, news.time_ms))
                self._lasts = True
            case AttemptBegan(attempt):
                one = Work(attempt.fit.trial, attempt.fit.kind, news.time_ms, news.time_ms)
                self._under_way[attempt] = one
                self.work.append(one)
            case Built(attempt, building=building, tracing=tracing) if attempt in self._under_way:
                self._under_way[attempt].building = building + tracing
            case Measure(attempt, seconds=seconds) if attempt in self._under_way:
                self._under_way[attempt].training += seconds
            case AttemptEnd(attempt) as end if attempt in self._under_way:
                self._end(self._under_way.pop(attempt), end, news.time_ms)
        lost = isinstance(news.body, AttemptEnd) and news.body.how is How.LOST
        if self._lasts and not lost:
            self.sessions[-1] = (self.sessions[-1][0], max(self.sessions[-1][1], news.time_ms))
        self._lasts = self._lasts and not isinstance(news.body, SessionEnded)

    def _end(self, one: Work, end: AttemptEnd, time_ms: int) -> None:
        one.how, one.failed = end.how.value, end.failure is not None
        began_in = max((session for session in self.sessions if session[0] <= one.began), default=(0, time_ms))
        one.ended = min(time_ms, began_in[1]) if end.how is How.LOST else time_ms

    def close(self) -> list[Work]:
        """All work, in the order in which it began."""
        for one in self._under_way.values():
            one.ended = self.sessions[-1][1] if self.sessions else one.began
            one.how = "" if self._lasts else How.LOST.value
        return self.work
