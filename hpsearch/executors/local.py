"""Trains on this machine: a fresh process for every attempt, forked where TensorFlow is already imported, or spawned.

One more process than there are free hands waits ready, so that the next attempt starts at once; where processes
are spawned (for cards, and where nothing can be forked), one for every slot. A process that dies (killed, out of
memory, a crash in C) ends its attempt as lost and touches nothing else.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from hpsearch import cards
from hpsearch.executors import capacity
from hpsearch.orders import Answer, Event, Order, Recipe, Slot, Stop
from hpsearch.space import Value
from hpsearch.trial import Attempt, AttemptEnd, How
from hpsearch.worker import hand, place, process

Work = Callable[[Any, Any], None]
GRACE_SECONDS = 10.0
LEAVING_SECONDS = 2.0


@dataclass
class _Hand:
    slot: Slot
    process: BaseProcess
    line: "Connection[Any, Any]"
    attempt: Attempt | None = None
    stop: Stop | None = None
    stopped: float = 0.0
    left: float = 0.0


class Local:
    """An executor with a hand a slot; `work` is what each process runs, and takes its line and the recipe.

    `gpus` and `per_gpu` are cards and slots on each; a process on a card is spawned, because CUDA survives no fork.
    Raises ExperimentRefused when there are fewer cards than `gpus`.
    """

    def __init__(
        self,
        count: capacity.Count = "auto",
        work: Work = hand.serve,
        *,
        gpus: cards.Wanted = False,
        per_gpu: int = 1,
        method: process.Method | None = None,
    ) -> None:
        method = method or process.method_here()
        self.slots = capacity.slots(count, gpus, per_gpu, spares=method == "spawn")
        self._method: process.Method = "spawn" if self.slots[0].card else method
        self.count, self._work = len(self.slots), work
        self._recipe: Recipe | None = None
        self._ready: list[_Hand] = []
        self._busy: dict[Attempt, _Hand] = {}
        self._leaving: list[_Hand] = []

    @property
    def where(self) -> str:
        """The cards in words; "" without."""
        return capacity.words(self.slots)

    def start(self) -> None:
        """Begin to import TensorFlow in the process that all others are forked from."""
        process.warm_up()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in a fresh process, on a card if the hands are, with all threads."""
        return process.call(function, *arguments, method=self._method, slot=replace(self.slots[0], threads=0))

    def open(self, recipe: Recipe) -> None:
        """Have processes wait for orders under this recipe; raise ExperimentRefused if TensorFlow misses a card."""
        self._recipe = recipe
        self._make_ready()
        if every := ",".join(dict.fromkeys(slot.card for slot in self.slots if slot.card)):
            process.call(bool, method=self._method, slot=Slot(every))

    def free(self) -> int:
        """How many hands are free."""
        return self.count - len(self._busy)

    def submit(self, order: Order) -> None:
        """Give the order to a waiting process; one that died waiting is passed over."""
        while True:
            self._make_ready()
            chosen = self._choose()
            try:
                chosen.line.send(order)
            except OSError:
                self._bury(chosen)
                continue
            chosen.attempt = order.attempt
            self._busy[order.attempt] = chosen
            return

    def _choose(self) -> _Hand:
        """Take the process that has waited longest for a slot that is free."""
        free = Counter(self.slots) - Counter(busy.slot for busy in self._busy.values())
        chosen = next(ready for ready in self._ready if free[ready.slot])
        self._ready.remove(chosen)
        return chosen

    def _make_ready(self) -> None:
        for slot in self._unattended():
            made = process.fresh(place.work, slot, self._work, self._recipe, method=self._method)
            self._ready.append(_Hand(slot, *made))

    def _unattended(self) -> list[Slot]:
        """The slots for which a process should wait and none does."""
        if self._method == "spawn":
            return list((Counter(self.slots) - Counter(ready.slot for ready in self._ready)).elements())
        return [self.slots[0]] * (max(1, self.free()) - len(self._ready))

    def events(self, timeout: float) -> Iterable[Event]:
        """What the workers sent, one message a worker, and a loss for each that died without ending its attempt."""
        busy = list(self._busy.values())
        for one in busy:
            if one.stop and one.stop.at_once and time.monotonic() - one.stopped > GRACE_SECONDS:
                process.kill(one.process)
        spoke = wait([one.line for one in busy], timeout)
        for one in busy:
            if one.line in spoke:
                yield self._hear(one)
        self._make_ready()
        self._see_off()

    def _hear(self, busy: _Hand) -> Event:
        try:
            event: Event = busy.line.recv()
        except (EOFError, OSError):
            event = self._lost(busy)
        if isinstance(event, AttemptEnd):
            del self._busy[event.attempt]
            busy.left = time.monotonic()
            self._leaving.append(busy)
        return event

    def _see_off(self) -> None:
        """Let go of processes that are gone, without waiting: a large one takes a while to give back its memory."""
        for leaving in self._leaving:
            if not leaving.process.is_alive() or time.monotonic() - leaving.left > LEAVING_SECONDS:
                self._bury(leaving)
        self._leaving = [one for one in self._leaving if not one.line.closed]

    def _lost(self, busy: _Hand) -> AttemptEnd:
        attempt = busy.attempt
        if attempt is None:
            message = "a process without an attempt was waited for"
            raise RuntimeError(message)
        busy.process.join(5)
        why = process.how_it_died(busy.process)
        return AttemptEnd(attempt, How.LOST, 0.0, reason=why)

    def answer(self, attempt: Attempt, value: Value) -> None:
        """Send the value that the attempt waits for; a dead worker is heard of as lost."""
        self._send(attempt, Answer(value))

    def stop(self, attempt: Attempt, reason: str, *, at_once: bool = False) -> None:
        """Ask the attempt to end, once; one that does not heed an `at_once` within ten seconds is killed."""
        busy = self._busy.get(attempt)
        if busy and (busy.stop is None or (at_once and not busy.stop.at_once)):
            busy.stop, busy.stopped = Stop(reason, at_once), time.monotonic()
            self._send(attempt, busy.stop)

    def _send(self, attempt: Attempt, message: object) -> None:
        if busy := self._busy.get(attempt):
            try:
                busy.line.send(message)
            except OSError:
                return

    def _bury(self, done: _Hand) -> None:
        done.line.close()
        process.kill(done.process)
        done.process.join()

    def close(self) -> None:
        """Kill every process that is left."""
        for left in (*self._ready, *self._busy.values(), *self._leaving):
            self._bury(left)
        self._ready, self._busy, self._leaving = [], {}, []
