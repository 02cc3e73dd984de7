"""Carries the ledger's committed records to a tracker, in order, in a thread of its own, as often as it takes.

The ledger itself is the outbox: a cursor on disk says how far the tracker has heard. A tracker that
fails or is away is tried again later from the same record, and never holds up the search.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from hpsearch.ledger import Ledger
from hpsearch.paths import write_text
from hpsearch.protocols import Tracker
from hpsearch.records import News

POLL_SECONDS = 0.25
SAVE_SECONDS = 1.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Outbox:
    """Feeds one tracker; `made` makes the tracker inside the thread, because that may be slow or fail."""

    def __init__(self, ledger: Path, cursor: Path, made: Callable[[], Tracker]) -> None:
        """Follow the ledger from where the cursor stands."""
        self._ledger, self._cursor, self._made = ledger, cursor, made
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._finish, self._quit = threading.Event(), threading.Event()
        self._heard = self._read_cursor()
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
            return sum(1 for _ in ledger.read(self._heard))
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
        ledger, tracker = Ledger(self._ledger, writer=False), self._made()
        saved = time.monotonic()
        try:
            while not self._quit.is_set():
                last_round = self._finish.is_set()
                for news in ledger.read(self._heard):
                    self._pass_on(tracker, news)
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self._save()
                        saved = time.monotonic()
                if last_round:
                    return
                self._finish.wait(POLL_SECONDS)
        finally:
            tracker.close()
            self._save()
            ledger.close()

    def _pass_on(self, tracker: Tracker, news: News) -> None:
        tracker.hear(news)
        self._heard, self.trouble = news.number, ""

    def _save(self) -> None:
        write_text(self._cursor, str(self._heard))
