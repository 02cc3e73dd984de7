"""Lets one process after the other prepare a data set, and tells a person who has to wait for another."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_IN_SILENCE = 1.0


@contextmanager
def alone(lock: Path, name: str) -> Iterator[None]:
    """Within: no other process holds the lock, a file, under which the data set of this name is prepared."""
    from filelock import FileLock, Timeout

    turn = FileLock(lock)
    try:
        turn.acquire(timeout=SECONDS_IN_SILENCE)
    except Timeout:
        print(f"another process prepares {name}; waiting for it", file=sys.stderr)  # noqa: T201 - sources have no voice
        turn.acquire()
    try:
        yield
    finally:
        turn.release()
