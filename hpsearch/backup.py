"""Copies a growing ledger to a file beside it now and then, in a thread, so that damage costs a minute and no more."""

import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from hpsearch import schema
from hpsearch.errors import HpsearchError
from hpsearch.ledger import Ledger
from hpsearch.paths import Study
from hpsearch.records import News

EVERY_SECONDS = 60.0
SHARE = 0.05  # of the time that may go into copying: a ledger of 100 MB takes two seconds


class Backup:
    """Hears the records of a study; a copy that is not sound, or finds no room, leaves the one before in its place."""

    def __init__(self, study: Study) -> None:
        """Copy for the first time in a minute."""
        self._study = study
        self._due, self._heard, self._copied = time.monotonic() + EVERY_SECONDS, 0, 0
        self._thread: threading.Thread | None = None

    def hear(self, news: News) -> None:
        """Begin a copy if one is due; it holds what is durable by then."""
        self._heard = news.number
        if time.monotonic() >= self._due and not (self._thread and self._thread.is_alive()):
            thread = threading.Thread(target=self._copy, name="backup", daemon=True)
            with suppress(RuntimeError):  # there can be no more threads just now: a later record tries again
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Copy what came since the last time."""
        if self._thread:
            self._thread.join()
        if self._heard > self._copied:
            self._copy()

    def _copy(self) -> None:
        began, heard = time.monotonic(), self._heard
        try:
            schema.copy(self._study.ledger, self._study.backup, check=_read_whole)
            self._copied = heard
        except (HpsearchError, sqlite3.Error):
            pass  # the search does not depend on it: what is wrong with the ledger or the disk is said elsewhere
        self._due = time.monotonic() + max(EVERY_SECONDS, (time.monotonic() - began) / SHARE)


def _read_whole(copied: Path) -> None:
    with closing(Ledger(copied, writer=False)) as ledger:
        ledger.check()
        for _ in ledger.rows():
            pass
