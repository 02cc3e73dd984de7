"""Hears Ctrl-C, SIGTERM and a closed terminal: the first asks the program to leave, the second ends it at once."""

import errno
import io
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is unknown to Windows
ECHO_SECONDS = 0.2  # by then the SIGTERM has come that `timeout`, `uv run` or a batch system sends on a second way


class AtOnce(KeyboardInterrupt):
    """The program was told to end, and nothing is under way that would need a moment, or it was told twice."""


@dataclass
class Leave:
    """Whether someone asked the program to stop, and with which exit code it should.

    `asked` is when that was, in seconds of the monotonic clock.
    `politely` says that trials are under way, which get the time to stop; before and after, they are not waited for.
    `twice` says that someone who asked did not want to wait.
    """

    exit_code: int = 0
    politely: bool = False
    twice: bool = False
    asked: float = -math.inf

    def __call__(self) -> bool:
        """Say whether it is time to leave."""
        return self.exit_code != 0

    def at_once_from_here(self) -> None:
        """No trial is under way any more: have one signal end the program; raise AtOnce if one came before."""
        self.politely = False
        if self():
            raise AtOnce


@contextmanager
def told_to_leave() -> Iterator[Leave]:
    """Within: the first signal only asks to leave, while there is anything to leave politely; else AtOnce is raised."""
    leave = Outlasting.leave = Leave()

    def heard(number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGTERM and leave.exit_code == 128 + number and now - leave.asked < ECHO_SECONDS:
            return
        hung_up = number == getattr(signal, "SIGHUP", None)  # by the terminal and by its shell: twice means no hurry
        leave.twice = leave.twice or (leave() and not hung_up)
        if not leave():
            leave.exit_code, leave.asked = 128 + number, now
        if leave.twice or not leave.politely:
            raise AtOnce

    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heeded = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]  # nohup has one ignored
    before = [signal.signal(number, heard) for number in heeded]
    try:
        yield leave
    finally:
        for number, handler in zip(heeded, before, strict=True):
            signal.signal(number, handler)


class Outlasting(io.BufferedWriter):
    """A stream, by its number, that goes nowhere when nobody can read it any more, so that no writing to it fails.

    A terminal may close without a signal: for a job in the background whose shell ended by `exit`, or had disowned
    it. And a pipe's reader, as `tee` is one, ends by the Ctrl-C that asked us to leave. What writes the bytes is not
    ours: a signal that raised between their writing and its return would have them written once more.
    """

    leave: ClassVar[Leave] = Leave()

    def __init__(self, stream: int, *, waits: bool = True) -> None:
        """Write to what is open under that number, which stays open afterwards; at once if nothing `waits`."""
        super().__init__(io.FileIO(stream, "w", closefd=False))
        self._terminal, self._waits = self.isatty(), waits

    def write(self, text: "ReadableBuffer", /) -> int:
        """Write; give back the number of bytes."""
        try:
            written = super().write(text)
        except OSError as error:
            self._go_nowhere(error)
            written = super().write(text)
        if not self._waits:
            self.flush()
        return written

    def flush(self) -> None:
        """Hand on what waits."""
        try:
            super().flush()
        except OSError as error:
            self._go_nowhere(error)
            super().flush()

    def _go_nowhere(self, error: OSError) -> None:
        closed = self._terminal and error.errno == errno.EIO
        if not closed and not (self.leave() and error.errno == errno.EPIPE):
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def outlast_readers() -> None:
    """Have standard output and standard error, where they are Python's own, go on as `Outlasting` does."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _outlasting(stream))


def _outlasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = stream.buffer.raw if isinstance(stream.buffer, io.BufferedWriter) else stream.buffer  # `python -u`
    if type(raw) is not io.FileIO:  # as a console of Windows
        return stream
    ours = Outlasting(stream.fileno(), waits=raw is not stream.buffer)
    return io.TextIOWrapper(
        ours, stream.encoding, stream.errors,
        line_buffering=stream.line_buffering, write_through=stream.write_through,
    )  # fmt: skip
