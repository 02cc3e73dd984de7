"""Starts fresh processes: forked, in some 20 ms, from one that has imported TensorFlow, or spawned.

multiprocessing's forkserver does it on Linux; elsewhere, and on request, each process is a new interpreter.
"""

import atexit
import contextlib
import multiprocessing
import multiprocessing.util
import os
import pickle
import signal
import sys
import time
import traceback
import weakref
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Literal

from hpsearch.errors import HpsearchError
from hpsearch.orders import Slot
from hpsearch.worker import place, tether

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Method = Literal["forkserver", "spawn"]
PRELOAD = "hpsearch.worker.preload"
MISSING = (
    "TensorFlow cannot be imported here ({why})\n  pip install 'tensorflow>=2.21' 'keras>=3.15' 'keras-tuner>=1.4.8'"
)
PAUSES = (0.1, 0.5, 2.0)  # seconds, before a process that could not be started is tried again
_started: weakref.WeakSet[BaseProcess] = weakref.WeakSet()


class ChildDied(HpsearchError):
    """A process ended before it gave its result; the text says by what signal or exit code."""


def method_here() -> Method:
    """How processes are started unless told otherwise."""
    return "forkserver" if sys.platform == "linux" else "spawn"


@cache
def _context(method: Method) -> ForkServerContext | SpawnContext:
    # At exit multiprocessing.util waits for every child that runs: a forgotten one must not keep the program from
    # ending. What was registered last is run first, so that module has to be imported by now.
    atexit.register(_end_all)
    if method == "spawn":
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
    target: Callable[..., None], *arguments: Any, method: Method | None = None
) -> tuple[BaseProcess, "Connection[Any, Any]"]:
    """Run `target(connection, *arguments)` in a fresh process; give back it and the other end of the connection.

    Target and arguments are pickled. When the process dies, reading from the connection raises EOFError.
    """
    method = method or method_here()
    for pause in PAUSES:
        # What others are forked from may be killed like anything else: multiprocessing starts it anew once it is gone.
        with contextlib.suppress(OSError, EOFError):
            return _begin(method, target, arguments)
        time.sleep(pause)
    try:
        return _begin(method, target, arguments)
    except (OSError, EOFError) as error:
        message = f"no process could be started ({type(error).__name__}: {error})"
        raise ChildDied(message) from error


def _begin(
    method: Method, target: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[BaseProcess, "Connection[Any, Any]"]:
    context = _context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_live, args=(method, theirs, target, arguments), daemon=False)
    try:
        process.start()
    except (OSError, EOFError):
        ours.close()
        raise
    finally:
        theirs.close()
    _started.add(process)
    return process, ours


def _live(
    method: Method, connection: "Connection[Any, Any]", target: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for a spawned process, which has yet to import TensorFlow
    tether.settle()
    if method == "forkserver":
        tether.die_with_parent()
    tether.watch_coordinator()
    target(connection, *arguments)


def call(function: Callable[..., Any], *arguments: Any, method: Method | None = None, slot: Slot | None = None) -> Any:
    """Run a module-level function in a fresh process; give back what it returns, raise what it raises.

    With a slot, TensorFlow is there and uses no more than that. Raises ChildDied when the process ends without either.
    """
    process, connection = fresh(_answer, slot, function, arguments, method=method)
    with connection:
        try:
            returned, result, text = connection.recv()
        except (EOFError, OSError) as error:
            process.join(5)
            message = (
                f"{function.__module__}.{function.__qualname__} gave no result: its process {how_it_died(process)}"
            )
            raise ChildDied(message) from error
        finally:
            kill(process)
    if returned:
        return result
    result.add_note(text)
    raise result


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
    """End a process and those it started, at once."""
    if process.pid is None or process.exitcode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or not yet the leader of its group
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(5)


def _end_all() -> None:
    for process in list(_started):
        with contextlib.suppress(ValueError, OSError):  # closed by its owner
            kill(process)


def check_preloaded() -> None:
    """Ask a fresh process whether TensorFlow is there; raise HpsearchError with the pip line if it is not."""
    if why := call(_what_is_missing):
        raise HpsearchError(MISSING.format(why=why))


def _what_is_missing() -> str:
    failure: str = import_module(PRELOAD).failure
    return failure or ("" if "tensorflow" in sys.modules else "it was not loaded")
