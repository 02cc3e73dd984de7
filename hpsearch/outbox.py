"""Carries the ledger's committed records to a tracker, in order, in a thread of its own, as often as it takes.

The ledger itself is the outbox: a cursor on disk says how far the tracker has heard. A tracker that
fails or is away is tried again later from the same record, and never holds up the search.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

from hpsearch import failpoints
from hpsearch.ledger import Ledger
from hpsearch.paths import write_text
from hpsearch.protocols import Batching, Tracker
from hpsearch.records import News

POLL_SECONDS = 0.25
SAVE_SECONDS = 1.0
BATCH = 2000  # records between two flushes of a tracker that can write many at once
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Outbox:
    """Feeds one tracker; `made` makes the tracker inside the thread, because that may be slow or fail."""

    def __init__(self, ledger: Path, cursor: Path, made: Callable[[], Tracker]) -> None:
        """Follow the ledger from where the cursor stands."""
        self._ledger, self._cursor, self._made = ledger, cursor, made
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._finish, self._quit = threading.Event(), threading.Event()
        self._heard, self._saved = self._read_cursor(), time.monotonic()
        self.trouble = ""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self, patience: float) -> int:
        """Drain, then follow no further; give the number of records that were not heard."""
        waiting = self.drain(patience)
        self._quit.set()
        return waiting

    def drain(self, patience: float) -> int:
        """Wait up to `patience` seconds until everything is heard; give the number of records still waiting."""
        self._finish.set()
        self._thread.join(patience)
        return self.waiting()

    def waiting(self) -> int:
        """How many records the tracker has not heard."""
        ledger = Ledger(self._ledger, writer=False)
        try:
            return ledger.waiting(self._heard)
        finally:
            ledger.close()

    def _read_cursor(self) -> int:
        try:
            return int(self._cursor.read_text())
        except (OSError, ValueError):
            return 0

    def _run(self) -> None:
        tries = 0
        while not self._quit.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - whatever a tracker raises, the search goes on and this tries again
                self.trouble = f"{type(error).__name__}: {error}"
                self._quit.wait(BACKOFF_SECONDS[min(tries, len(BACKOFF_SECONDS) - 1)])
                tries += 1
            else:
                return

    def _follow(self) -> None:
        with closing(Ledger(self._ledger, writer=False)) as ledger, closing(self._made()) as tracker:
            try:
                while not self._quit.is_set():
                    last_round = self._finish.is_set()
                    self._catch_up(ledger, tracker)
                    if last_round:
                        return
                    self._finish.wait(POLL_SECONDS)
            finally:
                self._save()

    def _catch_up(self, ledger: Ledger, tracker: Tracker) -> None:
        most = BATCH if isinstance(tracker, Batching) else 1
        while not self._quit.is_set() and (batch := self._next(ledger, most)):
            for news in batch:
                tracker.hear(news)
            if isinstance(tracker, Batching):
                tracker.flush()
            failpoints.reach("outbox.heard")
            self._heard, self.trouble = batch[-1].number, ""
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()

    def _next(self, ledger: Ledger, most: int) -> list[News]:
        """The next records; the ledger is not kept open for reading, or its write-ahead log could not shrink."""
        with closing(ledger.read(self._heard)) as records:
            return list(islice(records, most))

    def _save(self) -> None:
        write_text(self._cursor, str(self._heard))
        self._saved = time.monotonic()
