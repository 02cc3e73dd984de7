"""Ends what the code of trials has started: its children, theirs, and those that outlived their parents.

Linux gives a process whose parent died to the nearest ancestor that asked for such orphans, so that even one that
left its process group and its parents can be found; elsewhere only those that a living process leads to are, and
those that bear its mark (marks.py).
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection
from types import FrameType

import psutil

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER in <linux/prctl.h>
ROUNDS = 20  # a process that is killed may have started another one meanwhile


def adopt() -> None:
    """Have Linux make this process the parent of all below it that lose theirs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)


def end_all_without_parent() -> None:
    """From now on a SIGTERM ends this process and everything below it, at once, if its parent is gone.

    A batch system and systemd send one to every process of a job: what is to be done then is the coordinator's to say.
    And Linux sends the one that tells of a parent's death when but the thread ends that started this process.
    """
    parent = os.getppid()

    def end(_number: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            end_below(os.getpid())
            os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def end_adopted(pid: int, but: Collection[int]) -> None:
    """Kill what a process has adopted and all below: its children in other sessions than its own, save those in `but`.

    A child in its own session was started by it, on someone's request.
    """
    for child in _children(pid):
        if child.pid not in but and _session(child.pid) != _session(pid):
            kill([child])
            end_below(child.pid)


def end_below(pid: int) -> None:
    """Kill all below a process, which may be gone already."""
    for _ in range(ROUNDS):
        if not (found := _children(pid, recursive=True)):
            return
        kill(found)


def kill(processes: list[psutil.Process]) -> None:
    """Kill these, and wait a moment."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=0.1)


def _children(pid: int, *, recursive: bool = False) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [child for child in psutil.Process(pid).children(recursive=recursive) if lives(child)]
    return []


def is_there(pid: int) -> bool:
    """Whether there is a process of this number, and no zombie."""
    with contextlib.suppress(psutil.Error):
        return lives(psutil.Process(pid))
    return False


def lives(process: psutil.Process) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _session(pid: int) -> int:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return 0
