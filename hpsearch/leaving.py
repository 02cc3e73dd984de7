"""Hears Ctrl-C and SIGTERM: the first asks the program to leave, the second ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Leave:
    """Whether someone asked the program to stop, and with which exit code it should."""

    exit_code: int = 0

    def __call__(self) -> bool:
        """Say whether it is time to leave."""
        return self.exit_code != 0


@contextmanager
def told_to_leave() -> Iterator[Leave]:
    """Within: the first Ctrl-C or SIGTERM only asks to leave; the second ends the program at once."""
    leave = Leave()

    def heard(number: int, _frame: FrameType | None) -> None:
        if leave.exit_code:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        leave.exit_code = 128 + number

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, heard) for number in signals]
    try:
        yield leave
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
