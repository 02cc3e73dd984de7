"""Has two folders change names in one step, where the system can."""

import ctypes
import os
import sys
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
