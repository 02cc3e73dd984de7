"""Trains in this very process, one fit at a time, so that a debugger's breakpoints in build_model work."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

from hpsearch.orders import Answer, Beat, Event, Order, Recipe, Stop
from hpsearch.space import Value
from hpsearch.trial import Attempt, AttemptEnd
from hpsearch.worker.wire import Wire


class _Thread:
    """The worker's end of a line that does not leave the process."""

    def __init__(self, up: "queue.Queue[Any]") -> None:
        self._up: queue.Queue[Any] = up
        self.down: queue.Queue[Any] = queue.Queue()

    def send(self, obj: object) -> None:
        self._up.put(obj)

    def recv(self) -> object:
        return self.down.get()

    def poll(self, timeout: float | None = 0.0) -> bool:  # noqa: ARG002 - a queue answers at once
        return not self.down.empty()


class Inline:
    """An executor with one hand: a thread of this process."""

    where = ""  # TensorFlow takes what it finds

    def __init__(self) -> None:
        self._recipe: Recipe | None = None
        self._news: queue.Queue[Event] = queue.Queue()
        self._line: _Thread | None = None
        self._thread: threading.Thread | None = None
        self._attempt: Attempt | None = None

    def start(self) -> None:
        """Import TensorFlow here, without its log lines; raise HpsearchError when it cannot be."""
        from hpsearch.errors import HpsearchError
        from hpsearch.worker import place, starting
        from hpsearch.worker.quiet import import_all

        starting.warm_up()  # for tuners that live in a process of their own; it must begin before there are threads
        if why := import_all():
            raise HpsearchError(place.MISSING.format(why=why))

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:  # noqa: ARG002  # a breakpoint may take any time
        """Run the function here."""
        return function(*arguments)

    def open(self, recipe: Recipe) -> None:
        """Learn the recipe."""
        self._recipe = recipe

    def free(self) -> int:
        """One hand, busy or not."""
        return 0 if self._line else 1

    def submit(self, order: Order) -> None:
        """Begin the attempt in a thread."""
        self._line, self._attempt = _Thread(self._news), order.attempt
        self._thread = threading.Thread(target=self._make, args=(order, self._line), daemon=True)
        self._thread.start()

    def _make(self, order: Order, line: _Thread) -> None:
        from hpsearch.worker.fit import fit

        if self._recipe is not None:
            line.send(fit(order, self._recipe, Wire(line, order.attempt)))

    def events(self, timeout: float) -> Iterable[Event]:
        """What came from the thread."""
        try:
            event = self._news.get(timeout=timeout)
        except queue.Empty:
            return
        if isinstance(event, AttemptEnd):
            self._line = None
        if not isinstance(event, Beat):
            yield event

    def answer(self, attempt: Attempt, value: Value) -> None:
        """Hand over the value."""
        self._tell(attempt, Answer(value))

    def stop(self, attempt: Attempt, reason: str, *, at_once: bool = False) -> None:
        """Ask the thread to end its fit."""
        self._tell(attempt, Stop(reason, at_once))

    def _tell(self, attempt: Attempt, message: Answer | Stop) -> None:
        if self._line and attempt == self._attempt:
            self._line.down.put(message)

    def close(self) -> None:
        """Have the thread end its fit, if one is under way."""
        if self._line and self._thread:
            self._line.down.put(Stop("closed", at_once=True))
            self._thread.join(10)
            self._line = None
