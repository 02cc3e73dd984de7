"""Has a process of its own carry the ledger to a tracker, and brings that process back when it dies.

The ledger itself is the outbox: a cursor on disk says how far the tracker has heard. A tracker that
fails or is away is tried again later from the same record, and never holds up the search.
"""

import contextlib
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.follower import BACKOFF_SECONDS, FINISH, Source, Standing, Wish, follow, read_cursor
from hpsearch.ledger import Ledger
from hpsearch.protocols import Call, Made
from hpsearch.worker import ending, process, starting


class Outbox:
    """Feeds one tracker; `made(call)` makes it in its process, because that may be slow or fail, so it is pickled.

    `call(function, *arguments)` is what the tracker may have called in a fresh process beside this one.
    """

    def __init__(
        self, ledger: Path, cursor: Path, made: Made, call: Call = process.call, *, over: bool = False
    ) -> None:
        """Follow the ledger from where the cursor stands.

        With `over` nobody else holds the study: of a session that was killed the tracker hears that it has ended.
        """
        self._ledger, self._given, self._called = ledger, (Source(ledger, over), cursor, made), call
        self._standing, self._sent, self._finished = Standing(read_cursor(cursor, made.place)), 0, False
        self._finish, self._quit, self._saying = threading.Event(), threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._attend, name="outbox", daemon=True)

    @property
    def trouble(self) -> str:
        """What was in the tracker's way since it took something in, in words; "" when it hears."""
        return self._standing.trouble

    @property
    def pauses(self) -> bool:
        """Whether it waits until it tries again."""
        return self._standing.pauses

    @property
    def lacks(self) -> str:
        """What the tracker was told and could not take, in words; known once it has finished."""
        return self._standing.lacks

    @property
    def sent(self) -> int:
        """How many records the tracker has heard since the start; one that had lost its memory hears all anew."""
        return self._sent

    @property
    def finished(self) -> bool:
        """Whether the tracker, told that there is no more to come, has heard all and was closed."""
        return self._finished

    def start(self) -> None:
        """Begin to follow."""
        self._begin()
        self._thread.start()

    def close(self, patience: float) -> int:
        """Drain, then follow no further; give the number of records that were not heard."""
        self.drain(patience)
        self._quit.set()
        ending.kill(self._process)
        return self.waiting()

    def drain(self, patience: float) -> int:
        """Wait up to `patience` seconds until everything is heard; give the number of records still waiting."""
        if (
            not self._finish.is_set()
        ):  # said again and again to a process that no longer listens, it would fill the line
            self._finish.set()
            self._say(FINISH)
        self._thread.join(patience)
        return self.waiting()

    def waiting(self) -> int:
        """How many records the tracker has not heard."""
        with closing(Ledger(self._ledger, writer=False)) as ledger:
            return ledger.waiting(self._standing.heard)

    def _begin(self) -> None:
        """Start the process; it is spawned, because a tracker needs nothing of what the forkserver has imported."""
        self._process, self._line = starting.fresh(follow, *self._given, method="spawn")
        if self._finish.is_set():
            self._say(FINISH)

    def _say(self, word: Any) -> None:
        with self._saying, contextlib.suppress(OSError):  # a process that died is begun again
            self._line.send(word)

    def _attend(self) -> None:
        """Hear of the process until it has finished; begin it again whenever it dies."""
        while True:
            self._hear()
            self._finished = self._process.exitcode == 0
            if self._finished or self._quit.is_set():
                return
            why = f"its process {ending.how_it_died(self._process)}"
            self._standing = replace(self._standing, trouble=why, pauses=True)
            if self._quit.wait(BACKOFF_SECONDS[1]):
                return
            with contextlib.suppress(ending.ChildDied):  # nothing can be started now: later, perhaps
                self._begin()

    def _hear(self) -> None:
        with self._line:
            while True:
                try:
                    told = self._line.recv()
                except (EOFError, OSError):
                    break
                if isinstance(told, Wish):
                    self._grant(told)
                else:
                    self._sent += max(0, told.heard - self._standing.heard)
                    self._standing = told
        self._process.join(5)

    def _grant(self, wish: Wish) -> None:
        answer = process.attempt(self._called, wish.function, *wish.arguments)
        with self._saying, contextlib.suppress(OSError):
            self._line.send_bytes(answer)
