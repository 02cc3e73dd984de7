"""Looks at many pictures in a few processes, in order, with never more than some of them in memory.

A picture that kills its process, or keeps it busy for too long, becomes one that could not be read; the others go on.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from hpsearch.errors import first_line
from hpsearch.polarity import Polarity
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture, Unread
from hpsearch.predict.sources import Source
from hpsearch.worker import starting
from hpsearch.worker.bounded import limit_memory
from hpsearch.worker.ending import how_it_died, kill

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Sight = Picture | Unread
DEPTH = 8  # pictures that wait at one process: enough that it never waits for us
AHEAD = 4  # times as many may be done before one that takes long
MEMORY = 2_000_000_000  # bytes that a process may take
PATIENCE = 60.0  # seconds that one picture may take


@dataclass(frozen=True)
class Manner:
    """How pictures are looked at: for images of this recipe, shape and ink, each as `one` character or not."""

    framing: Framing
    shape: tuple[int, int]
    polarity: Polarity = Polarity.BRIGHT_ON_DARK
    one: bool = False


@dataclass(eq=False)
class _Hand:
    """A process and what waits at it, in order: the place of each picture, and the picture."""

    process: "BaseProcess"
    line: "Connection[Any, Any]"
    waiting: deque[tuple[int, Source]] = field(default_factory=deque)


class Lookers:
    """So many processes at most; the next one is started when those that are there have enough to do."""

    def __init__(self, most: int, manner: Manner, method: starting.Method | None = None) -> None:
        """Start nothing yet; close it in the end."""
        self._most, self._manner, self._method = most, manner, method
        self._hands: list[_Hand] = []
        self._done: dict[int, Sight] = {}

    def look_at(self, sources: Iterable[Source]) -> Iterator[Sight]:
        """What is seen in each picture, in their order; sources are taken only as fast as the sights are."""
        pending, begun, given = iter(sources), 0, 0
        while True:
            while begun - given < AHEAD * DEPTH * self._most and (hand := self._free()):
                source = next(pending, None)
                if source is None:
                    break
                self._hand_over(hand, begun, source)
                begun += 1
            if begun == given:
                return
            while given not in self._done:
                self._hear(given)
            yield self._done.pop(given)
            given += 1

    def close(self) -> None:
        """End the processes."""
        for hand in self._hands:
            kill(hand.process)
            hand.line.close()
        self._hands = []

    def _free(self) -> _Hand | None:
        """The process with the least to do, if it may get more."""
        least = min(self._hands, key=lambda hand: len(hand.waiting), default=None)
        if least and (len(least.waiting) < DEPTH // 2 or len(self._hands) == self._most):
            return least if len(least.waiting) < DEPTH else None
        return self._start()

    def _start(self) -> _Hand:
        process, line = starting.fresh(_look, self._manner, method=self._method)
        self._hands.append(_Hand(process, line))
        return self._hands[-1]

    def _hand_over(self, hand: _Hand, place: int, source: Source) -> None:
        hand.waiting.append((place, source))
        with suppress(OSError):  # it is dead, which is heard when it is listened to
            hand.line.send(source)

    def _hear(self, wanted: int) -> None:
        """Take in what has been seen; the picture that is `wanted` may take so long and no longer."""
        busy = {hand.line: hand for hand in self._hands if hand.waiting}
        heard = wait(list(busy), PATIENCE)
        for line in heard:
            hand = busy[line]  # type: ignore[index]  # wait gives back what it was given
            try:
                sight = hand.line.recv()
            except (EOFError, OSError):
                hand.process.join(5)
                self._replace(hand, f"the process that looked at it {how_it_died(hand.process)}")
            else:
                self._done[hand.waiting.popleft()[0]] = sight
        if not heard:
            slow = next(hand for hand in busy.values() if hand.waiting[0][0] <= wanted)
            self._replace(slow, f"looking at it took more than {PATIENCE:g} s")

    def _replace(self, hand: _Hand, why: str) -> None:
        """Give up the picture that a process had before it, and hand the others to a new one."""
        kill(hand.process)
        hand.line.close()
        self._hands.remove(hand)
        place, source = hand.waiting.popleft()
        self._done[place] = Unread(source.name, why)
        if hand.waiting:
            another = self._start()
            for others_place, other in hand.waiting:
                self._hand_over(another, others_place, other)


def _look(connection: "Connection[Any, Any]", manner: Manner) -> None:
    os.dup2(2, 1)  # standard output belongs to the command's answers
    limit_memory(MEMORY)
    while True:
        try:
            source: Source = connection.recv()
        except EOFError:
            return
        connection.send(_sight(source, manner))


def _sight(source: Source, manner: Manner) -> Sight:
    try:
        return look(source.name, source.file, manner.framing, manner.shape, manner.polarity, one=manner.one)
    except Exception as error:  # noqa: BLE001  # one picture must not end the others
        return Unread(source.name, f"it cannot be looked at ({type(error).__name__}: {first_line(str(error))})")
