"""Lets a test have the program die, or meet trouble, at a named place.

The environment says where: `HPSEARCH_FAILPOINT="TrialResult.durable=kill@2,checkpoint.bin.filled=ENOSPC"`. An action is
`kill` (SIGKILL to this very process), `ENOSPC` (the disk is full), `locked` (SQLite's word for a database in use) or
`sleep:SECONDS`; `@n` is the n-th time the place is reached, the first unless given. Each process counts for itself;
where `HPSEARCH_FAILPOINT_COUNTS` names a folder, all processes that share it count together.
Without the variable, a place costs one look at an empty dictionary.
"""

import errno
import os
import signal
import sqlite3
import time
from pathlib import Path

FAILPOINT, COUNTS = "HPSEARCH_FAILPOINT", "HPSEARCH_FAILPOINT_COUNTS"


def _parsed(text: str) -> dict[str, tuple[str, int]]:
    found = {}
    for one in filter(None, text.split(",")):
        place, _, what = one.partition("=")
        action, _, time_ = what.partition("@")
        found[place] = action, int(time_ or 1)
    return found


_wanted = _parsed(os.environ.get(FAILPOINT, ""))
_reached: dict[str, int] = {}


def reach(place: str) -> None:
    """Do what the environment wants at this place, if this is the time."""
    if not _wanted or place not in _wanted:
        return
    action, wanted = _wanted[place]
    if _count(place) == wanted:
        _act(action)


def _count(place: str) -> int:
    """How often the place was reached, this time included."""
    folder = os.environ.get(COUNTS)
    if folder is None:
        _reached[place] = _reached.get(place, 0) + 1
        return _reached[place]
    file = os.open(Path(folder) / place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, b".")  # where it was written tells the count, whoever else writes
        return os.lseek(file, 0, os.SEEK_CUR)
    finally:
        os.close(file)


def _act(action: str) -> None:
    name, _, number = action.partition(":")
    match name:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "ENOSPC":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "locked":
            message = "database is locked"
            raise sqlite3.OperationalError(message)
        case "sleep":
            time.sleep(float(number))
        case _:
            message = f"{FAILPOINT}: there is no action {action!r}"
            raise ValueError(message)
