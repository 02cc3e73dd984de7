"""Starts fresh processes: forked, in some 20 ms, from one that has imported TensorFlow, or spawned.

multiprocessing's forkserver does it on Linux; on macOS, and on request, each process is a new interpreter. Windows
has neither the pipes nor the signals that this needs.
"""

import atexit
import contextlib
import faulthandler
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from io import TextIOWrapper
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpsearch import disk
from hpsearch.errors import HpsearchError
from hpsearch.worker import bounded, marks, orphans, tether
from hpsearch.worker.ending import (
    ChildDied,
    births,
    end_all,
    end_forkserver,
    forked_by,
    forkserver_code,
    forkserver_pid,
    in_words,
    marked,
    started,
)
from hpsearch.worker.short_place import have_short_place

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext

Method = Literal["forkserver", "spawn"]
PRELOAD = "hpsearch.worker.preload"
PAUSES = (0.1, 0.5, 2.0)  # seconds, before a process that could not be started is tried again
AT_IMPORT = "see why: python -c 'import tensorflow' (it needs a processor with AVX, and memory)"
AT_BIRTH = "if it could fork no more: raise ulimit -u, pids.max or the memory, or take fewer workers (workers.count)"
_surroundings: dict[int | None, dict[str, str]] = {}  # by the number of what others are forked from: what it began with


def method_here() -> Method:
    """How processes are started unless told otherwise."""
    return "forkserver" if sys.platform == "linux" else "spawn"


@cache
def _context(method: Method) -> "ForkServerContext | SpawnContext":
    if sys.platform == "win32":
        message = "hpsearch does not run on Windows itself: use it in WSL 2"
        raise HpsearchError(message)
    # At exit multiprocessing.util waits for every child that runs: a forgotten one must not keep the program from
    # ending. What was registered last is run first, so that module has to be imported by now.
    atexit.register(end_all)
    bounded.allow_files()
    resource_tracker.ensure_running()  # whose start lets Ctrl-C through, in the middle of `_born_deaf`
    if method == "spawn":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def warm_up() -> None:
    """Begin to import TensorFlow in the process that others are forked from, and return at once.

    Call it from the main thread: that process is killed when the thread that started it ends. Raises HpsearchError
    where no process can be started: on Windows, and where there is no folder for temporary files.
    """
    method = method_here()
    _context(method)
    if method == "forkserver":
        _have_forkserver()


def _have_forkserver() -> None:
    """See to it that what others are forked from runs; this waits for nothing that it imports."""
    from multiprocessing import forkserver

    have_short_place()
    with _born_deaf():
        forkserver.ensure_running()
    if (number := forkserver_pid()) not in _surroundings:
        _surroundings.clear()
        _surroundings[number] = dict(os.environ)


def _changed_since() -> dict[str, str | None]:
    """Which environment variables are others than when that began, and what they are now; None for those gone."""
    then, now = _surroundings.get(forkserver_pid(), os.environ), os.environ
    return {name: now.get(name) for name in {*then, *now} if now.get(name) != then.get(name)}


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
            failed, why = error, _why(method, error)
            if method == "forkserver" and isinstance(error, FileNotFoundError) and not disk.is_nowhere():
                _give_up_forkserver()
    message = f"no process could be started: {why}"
    raise ChildDied(message) from failed


def _why(method: Method, failed: Exception) -> str:
    """Why no process could be started; to be asked before another try, which forgets how the last one ended."""
    torn_off = method == "forkserver" and isinstance(failed, EOFError | ConnectionError)
    if code := torn_off and forkserver_code(forkserver_pid()):
        return f"the one that others are forked from {in_words(code)}\n  {AT_IMPORT if code < 0 else AT_BIRTH}"
    return disk.in_a_sentence(failed) or f"{type(failed).__name__}: {failed}"


def _give_up_forkserver() -> None:
    """End it, and all that was forked from it, where somebody cleared temporary files away, its socket among them.

    The next one has its own in a new folder: another user may have made one of the old name.
    """
    end_forkserver()
    with contextlib.suppress(OSError):  # Python removes the old one in the end, and complains if it is not there
        Path(multiprocessing.util.get_temp_dir()).mkdir(0o700)
    multiprocessing.current_process()._config["tempdir"] = None  # type: ignore[attr-defined]  # noqa: SLF001  # no public way


def _begin(
    method: Method, output: "Connection[Any, Any] | None", target: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[BaseProcess, "Connection[Any, Any]"]:
    context = _context(method)
    ours, theirs = context.Pipe()
    surroundings = {} if method == "spawn" else _changed_since()
    handed = (method, surroundings, theirs, output, target, arguments)
    process = context.Process(target=_live, args=handed, daemon=False)
    try:
        with births:
            _start(process)
    except (OSError, EOFError, KeyboardInterrupt):
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def _start(process: BaseProcess) -> None:
    if not isinstance(process, SpawnProcess):
        _have_forkserver()
        process.start()  # it waits until TensorFlow is imported there: Ctrl-C must come through
        started.add(process)
        forked_by[process] = forkserver_pid() or 0
        return
    with _born_deaf():
        with marks.marking() as name:
            process.start()
        started.add(process)
        if process.pid:
            marked[process] = marks.mark_of(process.pid, name)


@contextlib.contextmanager
def _born_deaf() -> Iterator[None]:
    """Within: what is spawned never hears Ctrl-C, not even before `settle`; for this process it only waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(
    method: Method,
    surroundings: dict[str, str | None],
    connection: "Connection[Any, Any]",
    output: "Connection[Any, Any] | None",
    target: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    if output:
        _write_to(output)
    for name, value in surroundings.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for a spawned process, which has yet to import TensorFlow
    tether.settle()
    if method == "forkserver":
        tether.die_with_parent()
    else:
        orphans.adopt()  # forked ones leave that to what they were forked from
    tether.watch_coordinator()
    try:
        target(connection, *arguments)
    finally:
        orphans.end_below(os.getpid())
    _leave()


def _leave() -> None:
    """End at once: Python would take apart all that MLflow has imported, and forks of 3.13 wait for exit functions."""
    multiprocessing.util._exit_function()  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing itself does
    multiprocessing.util._flush_std_streams()  # type: ignore[attr-defined]  # noqa: SLF001  # the same; they may be closed
    os._exit(0)


def _write_to(output: "Connection[Any, Any]") -> None:
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(output.fileno(), number)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # the last words of a process that crashes are not lost
    output.close()
    faulthandler.enable()
