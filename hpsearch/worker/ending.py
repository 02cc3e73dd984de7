"""Ends processes that were started here, with all that these have started, and says in words how one ended."""

import contextlib
import os
import signal
import threading
import time
import weakref
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess

from hpsearch.errors import HpsearchError
from hpsearch.worker import marks, orphans

started: weakref.WeakSet[BaseProcess] = weakref.WeakSet()
marked: weakref.WeakKeyDictionary[BaseProcess, marks.Mark] = weakref.WeakKeyDictionary()  # those that were spawned
forked_by: weakref.WeakKeyDictionary[BaseProcess, int] = weakref.WeakKeyDictionary()  # the others, and by whom
UNKNOWN_CODE = 255  # what multiprocessing says when the process that could have told is gone itself
DYING_SECONDS = 0.5  # by then a process whose pipes are closed is gone
births = threading.Lock()  # held while a process is born, so that it is not taken for an orphan
_codes: dict[int, int] = {}  # of those that others were forked from, by their numbers: multiprocessing tells nobody


class ChildDied(HpsearchError):
    """A process ended before it gave its result, or took too long; the text and `how` say by what signal or code."""

    def __init__(self, message: str, how: str = "") -> None:
        """Keep how it died, in words that follow on "the process"."""
        self.how = how
        super().__init__(message)


def how_it_died(process: BaseProcess) -> str:
    """Say in words how a process ended, such as "was killed by SIGKILL (out of memory?)"."""
    code = process.exitcode
    if code is None:
        return "is still running"
    if nobody_knows(process):
        ended = forkserver_code(forked_by[process])
        return "was lost with the process it was forked from" + (f", which {in_words(ended)}" if ended else "")
    return in_words(code)


def in_words(code: int) -> str:
    """Say in words what a code of multiprocessing's means: minus the number of a signal, or a process's own."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def nobody_knows(process: BaseProcess) -> bool:
    """Whether it cannot be told how a process ended, because the one it was forked from, who would know, is gone.

    The code that multiprocessing gives then may as well be a process's own: that of `os._exit(-1)`, for example.
    """
    if process.exitcode != UNKNOWN_CODE or process not in forked_by:
        return False
    until = time.monotonic() + DYING_SECONDS
    while there := orphans.is_there(forked_by[process]):
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return not there


def kill(process: BaseProcess) -> None:
    """End a process, if it has not ended, and all that it started, at once."""
    _end(process)
    _end_orphans()


def _end(process: BaseProcess) -> None:
    if process.pid is None:
        return
    if process.exitcode is None and isinstance(process, SpawnProcess):
        orphans.end_below(process.pid)  # they could not be found without it
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or not yet the leader of its group
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(5)
    if mark := marked.pop(process, None):
        marks.end_marked(mark)


def forkserver_pid() -> int | None:
    """The number of the process that others are forked from, if one was started."""
    from multiprocessing import forkserver

    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001  # it tells nobody else
    return pid


def forkserver_code(number: int | None) -> int | None:
    """What the process of this number, that others were forked from, ended with; None while it lives, or if unknown.

    To be asked before multiprocessing begins another one: that throws the code away. It is remembered here.
    """
    until = time.monotonic() + DYING_SECONDS
    while number and number not in _codes and time.monotonic() < until:
        try:
            ended = os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            break
        if ended:
            _codes[number] = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        else:
            time.sleep(0.01)
    return _codes.get(number or 0)


def end_forkserver() -> None:
    """End the process that others are forked from, if one was started; what was forked from it is not seen to."""
    if pid := forkserver_pid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end_orphans() -> None:
    server = forkserver_pid()
    if server is not None and births.acquire(blocking=False):  # else the next end of a process sees to it
        try:
            orphans.end_adopted(server, {process.pid for process in started if process.pid})
        finally:
            births.release()


def end_started() -> None:
    """End every process that was started here, and all that these started, at once.

    What they were forked from lives on, with TensorFlow imported, for the next study of this program.
    """
    for process in list(started):
        with contextlib.suppress(ValueError, OSError):  # closed by its owner
            _end(process)
    _end_orphans()


def end_all() -> None:
    """End these, and what they were forked from."""
    end_started()
    end_forkserver()  # Python waits for a process that waits for it, and it may still be importing
