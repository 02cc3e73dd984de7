"""Trains on this machine: a fresh process for every attempt, forked where TensorFlow is already imported, or spawned.

One more process than there are free hands waits ready, so that the next attempt starts at once; where processes
are spawned (for cards, and where nothing can be forked), one for every slot. A process that dies (killed, out of
memory, a crash in C) ends its attempt as lost and touches nothing else.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from hpsearch import cards
from hpsearch.executors import capacity
from hpsearch.executors.hands import Hand, Rules
from hpsearch.executors.limits import Limits
from hpsearch.executors.logs import Log
from hpsearch.orders import Event, Order, Recipe, Slot
from hpsearch.paths import FitFiles
from hpsearch.space import Value
from hpsearch.trial import Attempt, AttemptEnd
from hpsearch.worker import hand, place, process, starting

Work = Callable[[Any, Any], None]
LEAVING_SECONDS = 2.0


class Local:
    """An executor with a hand a slot; `work` is what each process runs, and takes its line and the recipe.

    `limits` are what each attempt may take.
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
        limits: Limits | None = None,
        method: starting.Method | None = None,
    ) -> None:
        method = method or starting.method_here()
        self.slots = capacity.slots(count, gpus, per_gpu, spares=method == "spawn")
        self._method: starting.Method = "spawn" if self.slots[0].card else method
        self.count, self._work = len(self.slots), work
        self._rules = Rules(limits or Limits())
        self._recipe: Recipe | None = None
        self._ready: list[Hand] = []
        self._busy: dict[Attempt, Hand] = {}
        self._leaving: list[Hand] = []
        self._foreseen: dict[Callable[..., Any], process.Fresh] = {}

    @property
    def where(self) -> str:
        """The cards in words; "" without."""
        return capacity.words(self.slots)

    def start(self) -> None:
        """Begin to import TensorFlow in the process that all others are forked from."""
        starting.warm_up()

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:
        """Run a function in a fresh process, on a card if the hands are, with all threads; raise ChildDied."""
        ready = self._foreseen.pop(function, None)
        if ready and ready.dead:
            ready.close()
            ready = None
        return (ready or self._fresh()).call(function, *arguments, patience=patience)

    def foresee(self, function: Callable[..., Any], ahead: Callable[[], object]) -> None:
        """Have a process ready for the next call of this function, and `ahead` called there meanwhile."""
        if function not in self._foreseen:
            self._foreseen[function] = self._fresh(ahead)

    def _fresh(self, ahead: Callable[[], object] = bool) -> process.Fresh:
        return process.Fresh(ahead, method=self._method, slot=replace(self.slots[0], threads=0))

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
            if chosen.take(order, self._log(order.attempt)):
                self._busy[order.attempt] = chosen
                return
            chosen.bury()

    def _log(self, attempt: Attempt) -> Path | None:
        return FitFiles(self._recipe.fits / attempt.fit.name).log if isinstance(self._recipe, Recipe) else None

    def _choose(self) -> Hand:
        """Take the process that has waited longest for a slot that is free."""
        free = Counter(self.slots) - Counter(busy.slot for busy in self._busy.values())
        chosen = next(ready for ready in self._ready if free[ready.slot])
        self._ready.remove(chosen)
        return chosen

    def _make_ready(self) -> None:
        for slot in self._unattended():
            log = Log()
            made = starting.fresh(place.work, slot, self._work, self._recipe, method=self._method, output=log.writer)
            log.follow()
            self._ready.append(Hand(slot, *made, log, self._rules))

    def _unattended(self) -> list[Slot]:
        """The slots for which a process should wait and none does."""
        if self._method == "spawn":
            return list((Counter(self.slots) - Counter(ready.slot for ready in self._ready)).elements())
        return [self.slots[0]] * (max(1, self.free()) - len(self._ready))

    def events(self, timeout: float) -> Iterable[Event]:
        """What the workers sent, one message a worker, and the end of each that died or took more than it may."""
        busy = list(self._busy.values())
        overdue = [end for one in busy if (end := one.overdue())]
        for end in overdue:
            self._let_go(end)
            yield end
        yield from self._words([one for one in busy if one.attempt in self._busy], 0.0 if overdue else timeout)
        self._make_ready()
        self._see_off()

    def _words(self, busy: list[Hand], timeout: float) -> Iterator[Event]:
        spoke = set(wait([source for one in busy for source in (one.line, one.process.sentinel)], timeout))
        for one in busy:
            if (spoke & {one.line, one.process.sentinel} or one.dead) and (event := one.hear()):
                if isinstance(event, AttemptEnd):
                    self._let_go(event)
                yield event

    def _let_go(self, end: AttemptEnd) -> None:
        leaving = self._busy.pop(end.attempt)
        leaving.left = time.monotonic()
        self._leaving.append(leaving)

    def _see_off(self) -> None:
        """Let go of processes that are gone, without waiting: a large one takes a while to give back its memory."""
        for leaving in self._leaving:
            if not leaving.process.is_alive() or time.monotonic() - leaving.left > LEAVING_SECONDS:
                leaving.bury()
        self._leaving = [one for one in self._leaving if not one.line.closed]

    def answer(self, attempt: Attempt, value: Value) -> None:
        """Send the value that the attempt waits for; a dead worker is heard of in its turn."""
        if busy := self._busy.get(attempt):
            busy.answer(value)

    def stop(self, attempt: Attempt, reason: str, *, at_once: bool = False) -> None:
        """Ask the attempt to end, once; one that does not heed an `at_once` within some seconds is killed."""
        if busy := self._busy.get(attempt):
            busy.ask_to_stop(reason, at_once=at_once)

    def close(self) -> None:
        """Kill every process that is left."""
        while self._foreseen:
            self._foreseen.popitem()[1].close()
        everyone = (*self._ready, *self._busy.values(), *self._leaving)
        for left in everyone:
            left.process.kill()  # all at once: a large one takes a while to give back its memory
        for left in everyone:
            left.bury()
        self._ready, self._busy, self._leaving = [], {}, []
