"""Ties a process's life to that of its parent, so that a killed coordinator leaves nothing behind."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading

from hpsearch.worker import orphans

DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG in <linux/prctl.h>


def settle() -> None:
    """Leave the terminal's process group, so that Ctrl-C does not come here, and ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(PermissionError):  # it leads a group already
        os.setsid()


def die_with_parent(number: int | None = None) -> None:
    """Have Linux send this process a signal when the thread that started it ends; call it from the main thread.

    It is SIGKILL unless given.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_OF_PARENT, signal.SIGKILL if number is None else number)


def watch_coordinator() -> None:
    """End this process from a thread when the process that ordered it is gone, by the pipe between them."""
    coordinator = multiprocessing.parent_process()
    if coordinator is not None:
        threading.Thread(target=_outlive, args=(coordinator,), name="tether", daemon=True).start()


def _outlive(coordinator: "multiprocessing.process.BaseProcess") -> None:
    coordinator.join()
    orphans.end_below(os.getpid())
    os._exit(1)
