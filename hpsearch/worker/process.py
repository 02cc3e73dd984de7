"""Starts fresh processes: forked, in some 20 ms, from one that has imported TensorFlow, or spawned.

multiprocessing's forkserver does it on Linux; elsewhere, and on request, each process is a new interpreter.
"""

import atexit
import contextlib
import faulthandler
import multiprocessing
import multiprocessing.util
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from io import TextIOWrapper
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Literal

from hpsearch.errors import HpsearchError
from hpsearch.orders import Slot
from hpsearch.worker import orphans, place, tether

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Method = Literal["forkserver", "spawn"]
PRELOAD = "hpsearch.worker.preload"
MISSING = (
    "TensorFlow cannot be imported here ({why})\n  pip install 'tensorflow>=2.21' 'keras>=3.15' 'keras-tuner>=1.4.8'"
)
PAUSES = (0.1, 0.5, 2.0)  # seconds, before a process that could not be started is tried again
_started: weakref.WeakSet[BaseProcess] = weakref.WeakSet()
_births = threading.Lock()  # held while a process is born, so that it is not taken for an orphan


class ChildDied(HpsearchError):
    """A process ended before it gave its result, or took too long; the text and `how` say by what signal or code."""

    def __init__(self, message: str, how: str = "") -> None:
        """Keep how it died, in words that follow on "the process"."""
        self.how = how
        super().__init__(message)


def method_here() -> Method:
    """How processes are started unless told otherwise."""
    return "forkserver" if sys.platform == "linux" else "spawn"


@cache
def _context(method: Method) -> ForkServerContext | SpawnContext:
    # At exit multiprocessing.util waits for every child that runs: a forgotten one must not keep the program from
    # ending. What was registered last is run first, so that module has to be imported by now.
    atexit.register(end_all)
    if method == "spawn":
        if os.name == "posix":
            resource_tracker.ensure_running()  # whose start lets Ctrl-C through, in the middle of `_born_deaf`
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def warm_up() -> None:
    """Begin to import TensorFlow in the process that others are forked from, and return at once.

    Call it from the main thread: that process is killed when the thread that started it ends.
    """
    if method_here() == "forkserver":
        _context("forkserver")
        from multiprocessing import forkserver

        forkserver.ensure_running()


def fresh(
    target: Callable[..., None],
    *arguments: Any,
    method: Method | None = None,
    output: "Connection[Any, Any] | None" = None,
) -> tuple[BaseProcess, "Connection[Any, Any]"]:
    """Run `target(connection, *arguments)` in a fresh process; give back it and the other end of the connection.

    Target and arguments are pickled. When the process dies, reading from the connection raises EOFError.
    What it writes to standard output and error goes into `output`, the writing end of a pipe, if there is one.
    """
    method = method or method_here()
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        # What others are forked from may be killed like anything else: multiprocessing starts it anew once it is gone.
        try:
            return _begin(method, output, target, arguments)
        except (OSError, EOFError) as error:
            failed = error
    message = f"no process could be started ({type(failed).__name__}: {failed})"
    raise ChildDied(message) from failed


def _begin(
    method: Method, output: "Connection[Any, Any] | None", target: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[BaseProcess, "Connection[Any, Any]"]:
    context = _context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_live, args=(method, theirs, output, target, arguments), daemon=False)
    try:
        with _births, _born_deaf():
            process.start()
            _started.add(process)
    except (OSError, EOFError):
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


@contextlib.contextmanager
def _born_deaf() -> Iterator[None]:
    """Within: what is spawned never hears Ctrl-C, not even before `settle`; for this process it only waits."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(
    method: Method,
    connection: "Connection[Any, Any]",
    output: "Connection[Any, Any] | None",
    target: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    if output:
        _write_to(output)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for a spawned process, which has yet to import TensorFlow
    tether.settle()
    if method == "forkserver":
        tether.die_with_parent()
    tether.watch_coordinator()
    try:
        target(connection, *arguments)
    finally:
        orphans.end_below(os.getpid())


def _write_to(output: "Connection[Any, Any]") -> None:
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(output.fileno(), number)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # the last words of a process that crashes are not lost
    output.close()
    faulthandler.enable()


def call(
    function: Callable[..., Any],
    *arguments: Any,
    method: Method | None = None,
    slot: Slot | None = None,
    patience: float | None = None,
) -> Any:
    """Run a module-level function in a fresh process; give back what it returns, raise what it raises.

    With a slot, TensorFlow is there and uses no more than that. Raises ChildDied when the process ends without
    either, or does not end in `patience` seconds.
    """
    process, connection = fresh(_answer, slot, function, arguments, method=method)
    with connection:
        try:
            told = _result(process, connection, patience)
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                how = f"was not done after {patience:g} s"
            else:
                process.join(5)
                how = how_it_died(process)
            message = f"{function.__module__}.{function.__qualname__} gave no result: its process {how}"
            raise ChildDied(message, how) from error
        finally:
            kill(process)
    return outcome(*told)


def _result(process: BaseProcess, connection: "Connection[Any, Any]", patience: float | None) -> Any:
    """What the process sends; raise EOFError if it ends without, TimeoutError when the patience has."""
    if not wait([connection, process.sentinel], patience):
        raise TimeoutError
    if not connection.poll():  # what it had started may hold the line open
        raise EOFError
    return connection.recv()


def _answer(
    connection: "Connection[Any, Any]", slot: Slot | None, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.dup2(2, 1)  # standard output belongs to the coordinator's answers
    placed = partial(place.run, slot, function) if slot else function
    connection.send_bytes(attempt(placed, *arguments))


def attempt(function: Callable[..., Any], *arguments: Any) -> bytes:
    """Call the function; pickle (True, result, "") or (False, exception, traceback) so that it can be read back."""
    try:
        return pickle.dumps((True, function(*arguments), ""))
    except Exception as error:  # noqa: BLE001 - it is raised again on the other side
        text = traceback.format_exc()
        with contextlib.suppress(Exception):  # an exception of someone else's class may not survive the journey
            whole = pickle.dumps((False, error, text))
            pickle.loads(whole)  # noqa: S301 - our own bytes
            return whole
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}"), text))


def outcome(returned: bool, result: Any, text: str) -> Any:
    """Give back what the function returned, or raise what it raised, with its traceback as a note."""
    if returned:
        return result
    result.add_note(text)
    raise result


def how_it_died(process: BaseProcess) -> str:
    """Say in words how a process ended, such as "was killed by SIGKILL (out of memory?)"."""
    code = process.exitcode
    if code is None:
        return "is still running"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


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
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(5)


def _end_orphans() -> None:
    from multiprocessing import forkserver

    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001  # it tells nobody else
    if server is not None and _births.acquire(blocking=False):  # else the next end of a process sees to it
        try:
            orphans.end_adopted(server, {process.pid for process in _started if process.pid})
        finally:
            _births.release()


def end_all() -> None:
    """End every process that was started here, and all that these started, at once."""
    for process in list(_started):
        with contextlib.suppress(ValueError, OSError):  # closed by its owner
            _end(process)
    _end_orphans()


def check_preloaded() -> None:
    """Ask a fresh process whether TensorFlow is there; raise HpsearchError with the pip line if it is not."""
    if why := call(_what_is_missing):
        raise HpsearchError(MISSING.format(why=why))


def _what_is_missing() -> str:
    failure: str = import_module(PRELOAD).failure
    return failure or ("" if "tensorflow" in sys.modules else "it was not loaded")
