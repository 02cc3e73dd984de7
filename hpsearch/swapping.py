"""Has two folders change names in one step, and clears away what killed processes left half written."""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # Linux, renameat2(2)
RENAME_SWAP = 2  # macOS, renamex_np(2)


def swap(one: Path, other: Path) -> bool:
    """Exchange the two names, so that at no moment either is free; False where the system cannot."""
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        system = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(system.renamex_np(first, second, RENAME_SWAP) == 0)
        return bool(system.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # a C library without the call; Windows has no CDLL(None)
        return False


@contextmanager
def claimed(place: Path) -> Iterator[bool]:
    """Within: a file or folder is marked as this process's, while the process lives; False if it is another's."""
    try:
        import fcntl
    except ImportError:  # Windows: nobody can tell whose it is, so nothing is cleared away
        yield False
        return
    opened = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(opened)


def clear_away(folder: Path, pattern: str) -> None:
    """Remove the files and folders of this pattern that no living process claims."""
    for left in folder.glob(pattern):
        if left.is_symlink():
            continue
        with suppress(OSError), claimed(left) as abandoned:
            if not abandoned:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
