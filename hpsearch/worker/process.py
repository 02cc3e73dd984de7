"""Has functions called in fresh processes, and brings home what they return or raise."""

import contextlib
import math
import os
import pickle
import time
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from hpsearch.orders import Slot
from hpsearch.worker import place
from hpsearch.worker.ending import ChildDied, how_it_died, kill
from hpsearch.worker.starting import Method, fresh

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LOOK_SECONDS = 1.0


class Fresh:
    """A fresh process that waits for the one function that it is to run.

    It calls `ahead` while it waits: what that imports need not be waited for later. With a slot, TensorFlow is there
    and uses no more than that.
    """

    def __init__(
        self, ahead: Callable[[], object] = bool, *, method: Method | None = None, slot: Slot | None = None
    ) -> None:
        """Begin it; raise ChildDied where no process can be started."""
        self._process, self._line = fresh(_serve, slot, ahead, method=method)

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:
        """Run a module-level function in it; give back what it returns, raise what it raises.

        An HpsearchError says so when TensorFlow cannot be imported. Raises ChildDied when the process ends without
        either, or does not end in `patience` seconds.
        """
        with self._line:
            try:
                self._line.send((function, arguments))
                told = _result(self._process, self._line, patience)
            except (EOFError, OSError) as error:
                if isinstance(error, TimeoutError):
                    how = f"was not done after {patience:g} s"
                else:
                    self._process.join(5)
                    how = how_it_died(self._process)
                message = f"{function.__module__}.{function.__qualname__} gave no result: its process {how}"
                raise ChildDied(message, how) from error
            finally:
                kill(self._process)
        return outcome(*told)

    @property
    def dead(self) -> bool:
        """Whether it has ended while it waited, as any process may be killed."""
        return not self._process.is_alive()

    def close(self) -> None:
        """End it, where nothing was for it to do."""
        kill(self._process)
        self._line.close()


def call(
    function: Callable[..., Any],
    *arguments: Any,
    method: Method | None = None,
    slot: Slot | None = None,
    patience: float | None = None,
) -> Any:
    """Run a module-level function in a fresh process, as `Fresh.call` does."""
    return Fresh(method=method, slot=slot).call(function, *arguments, patience=patience)


def _result(process: BaseProcess, connection: "Connection[Any, Any]", patience: float | None) -> Any:
    """What the process sends; raise EOFError if it ends without, TimeoutError when the patience has."""
    until = math.inf if patience is None else time.monotonic() + patience
    # A copy that it made of itself, and that outlives it, keeps both ends open: one has to look for its death.
    while not wait([connection, process.sentinel], min(LOOK_SECONDS, max(0.0, until - time.monotonic()))):
        if not process.is_alive():
            break
        if time.monotonic() >= until:
            raise TimeoutError
    if not connection.poll():  # what it had started may hold the line open
        raise EOFError
    return connection.recv()


def _serve(connection: "Connection[Any, Any]", slot: Slot | None, ahead: Callable[[], object]) -> None:
    os.dup2(2, 1)  # standard output belongs to the coordinator's answers
    with contextlib.suppress(Exception):  # what is amiss is told by the function that needs it
        place.run(slot, ahead) if slot else ahead()
    try:
        function, arguments = connection.recv()
    except EOFError:  # nothing was for it to do
        return
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
