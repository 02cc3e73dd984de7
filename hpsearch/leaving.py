"""Hears Ctrl-C, SIGTERM and a closed terminal: the first asks the program to leave, the second ends it at once."""

import os
import select
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from hpsearch.aside import aside

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is unknown to Windows


class AtOnce(KeyboardInterrupt):
    """The program was told to end, and nothing is under way that would need a moment, or it was told twice."""


@dataclass
class Leave:
    """Whether someone asked the program to stop, and with which exit code it should.

    `politely` says that trials are under way, which get the time to stop; before and after, they are not waited for.
    `twice` says that someone who asked did not want to wait.
    """

    exit_code: int = 0
    politely: bool = False
    twice: bool = False

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
    leave = Leave()

    def heard(number: int, _frame: FrameType | None) -> None:
        hung_up = number == getattr(signal, "SIGHUP", None)  # by the terminal and by its shell: twice means no hurry
        leave.twice = leave.twice or (leave() and not hung_up)
        if not leave():
            leave.exit_code = 128 + number
            _let_go_of_those_that_close([stream for stream in (1, 2) if not os.isatty(stream)])  # `tee` heard it, too
        if hung_up:
            let_go_of_terminal()
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


def go_on_without_terminal() -> None:
    """Have a thread see to it that nothing fails for want of a terminal which closes without a signal.

    So it does for a job in the background whose shell ended by `exit`, or had disowned it.
    """
    _let_go_of_those_that_close([stream for stream in (1, 2) if os.isatty(stream)])


def _let_go_of_those_that_close(streams: Sequence[int]) -> None:
    if streams and hasattr(select, "poll"):
        closed = select.poll()
        for stream in streams:
            closed.register(stream, 0)  # that it has hung up, or is read by nobody any more, is told unasked
        aside(_let_go_when, closed, len(streams))


def _let_go_when(closed: "select.poll", left: int) -> None:
    while left:
        for stream, _ in closed.poll():
            closed.unregister(stream)
            _let_go_of(stream)
            left -= 1


def let_go_of_terminal() -> None:
    """Send what is still written to a terminal that is gone nowhere, lest the writing fail."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            _let_go_of(stream)


def _let_go_of(stream: int) -> None:
    """Send what is still written there nowhere, lest the writing fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)
