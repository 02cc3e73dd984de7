"""A worker's end of the line to the coordinator: it asks, tells, and hears when to stop."""

import time
from typing import Protocol

from hpsearch.orders import Answer, Beat, Event, Question, Stop
from hpsearch.space import Parameter, Value
from hpsearch.trial import Attempt

BEAT_SECONDS = 0.5


class Line(Protocol):
    """Two-way talk, as multiprocessing's Connection has it; EOFError when the other end is gone."""

    def send(self, obj: object) -> None:
        """Send one message."""

    def recv(self) -> object:
        """Wait for the next message."""

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether a message waits."""


class Stopped(Exception):
    """The coordinator wants no more of this fit."""

    def __init__(self, reason: str) -> None:
        """Carry the coordinator's reason."""
        self.reason = reason
        super().__init__(reason)


class Wire:
    """The line of one attempt."""

    def __init__(self, line: Line, attempt: Attempt) -> None:
        """Speak for the attempt over the line."""
        self._line, self._attempt = line, attempt
        self._stop: Stop | None = None
        self._spoke = time.monotonic()

    def tell(self, event: Event) -> None:
        """Send news."""
        self._line.send(event)
        self._spoke = time.monotonic()

    def beat(self) -> None:
        """Give a sign of life, unless the last word was just said."""
        if time.monotonic() - self._spoke > BEAT_SECONDS:
            self.tell(Beat(self._attempt))

    def ask(self, parameter: Parameter) -> Value:
        """Ask for the value of a parameter and wait for it; raise Stopped when told to stop instead."""
        self._line.send(Question(self._attempt, parameter))
        match self._line.recv():
            case Answer(value):
                return value
            case Stop() as stop:
                self._stop = stop  # for a build that lets the exception pass: it is left before its first epoch
                raise Stopped(stop.reason)
            case message:
                raise TypeError(message)

    def stopped(self) -> Stop | None:
        """The wish to stop, if one came."""
        while self._line.poll():
            match self._line.recv():
                case Stop() as stop if self._stop is None or stop.at_once:
                    self._stop = stop
        return self._stop
