"""Carries a ledger's committed records to a tracker, in order, as often as it takes: the far side of an outbox.

It lives in a process of its own, so that a tracker takes no time from the coordinator's thread. A cursor on disk
says how far the tracker has heard; one that fails is made anew later, and hears the same records again. The cursor
holds for one place alone, and only while anything of the study is there.
"""

import os
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import cut_off, failpoints
from hpsearch.files import write_text
from hpsearch.ledger import Ledger
from hpsearch.protocols import Batching, Made, Remembering, Tracker
from hpsearch.records import News
from hpsearch.worker import process

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FINISH = "finish"  # what the outbox says when nothing more will be written
POLL_SECONDS = 0.25
SAVE_SECONDS = 1.0
BATCH = 2000  # records between two flushes of a tracker that can write many at once
CAREFUL = 16  # as many after a failed try: what was heard is seen sooner; doubled by each that got through
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Standing:
    """How far the tracker has heard the ledger, in words what is in its way, and whether that is waited for.

    What it `lacks` all the same is known once it was closed.
    """

    heard: int
    trouble: str = ""
    pauses: bool = False
    lacks: str = ""


@dataclass(frozen=True)
class Source:
    """The ledger that is followed; `over` says that nobody holds its study who could write any more."""

    ledger: Path
    over: bool = False


@dataclass(frozen=True)
class Wish:
    """A function that the tracker wants to have called where the outbox is; the answer is that of `process.attempt`."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def read_cursor(cursor: Path, place: str) -> int:
    """The number of the last record heard in this place, 0 where the file does not hold what was written for it.

    A tracker may hear all again, but miss none.
    """
    try:
        number, checksum = map(int, cursor.read_text().split())
    except (OSError, ValueError):
        return 0
    return number if checksum == _checksum(number, place) else 0


def _checksum(number: int, place: str) -> int:
    return zlib.crc32(f"{number} {place}".encode())


def follow(line: "Connection[Any, Any]", source: Source, cursor: Path, made: Made) -> None:
    """Follow the ledger from where the cursor stands, until told to finish and everything is heard."""
    os.dup2(2, 1)  # standard output belongs to the coordinator's answers
    follower, tries = _Follower(line, source, cursor, made), 0
    while True:
        before = follower.heard
        try:
            return follower.run()
        except Exception as error:  # noqa: BLE001  # whatever a tracker raises, it is tried again
            tries = tries if follower.heard == before else 0
            pause = BACKOFF_SECONDS[min(tries, len(BACKOFF_SECONDS) - 1)]
            follower.falter(pause, f"{type(error).__name__}: {error}")
            tries += 1


class _Follower:
    def __init__(self, line: "Connection[Any, Any]", source: Source, cursor: Path, made: Made) -> None:
        self._line, self._source, self._cursor, self._made = line, source, cursor, made
        self._standing, self._saved = Standing(read_cursor(cursor, made.place)), time.monotonic()
        self._finish, self._most, self._wholly = False, BATCH, source.over

    @property
    def heard(self) -> int:
        return self._standing.heard

    @property
    def _sure(self) -> int:
        """What counts as heard while the tracker is not closed: one less, so that its end is not forgotten either."""
        return max(0, self.heard - 1)

    def run(self) -> None:
        with closing(Ledger(self._source.ledger, writer=False)) as ledger, closing(self._made(self._call)) as tracker:
            older = self.heard > ledger.waiting(0)  # a ledger that was restored: new records have old numbers
            forgotten = isinstance(tracker, Remembering) and not tracker.remembers(wholly=self._wholly)
            self._tell(replace(self._standing, heard=0 if older or forgotten else self.heard, pauses=False))
            if forgotten:
                self._save(ledger, 0)  # before the tracker forgets what it lacked
            self._wholly = False
            try:
                while True:
                    last_round = self._finish
                    self._catch_up(ledger, tracker)
                    if last_round:
                        self._end(ledger, tracker)
                        break
                    self._heed(POLL_SECONDS)
            finally:
                self._save(ledger, self._sure)
        self._save(ledger, self.heard)
        if isinstance(tracker, Remembering):
            self._tell(replace(self._standing, lacks=tracker.lacks()))

    def falter(self, seconds: float, trouble: str) -> None:
        self._most = CAREFUL
        self._tell(replace(self._standing, trouble=trouble, pauses=True))
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._heed(left)

    def _heed(self, seconds: float) -> None:
        """Wait for a word, not for longer than that; once there is no more to come, wait as well, but for none."""
        if self._finish:
            time.sleep(seconds)
        elif self._line.poll(seconds):
            self._listen()

    def _listen(self) -> Any:
        try:
            word = self._line.recv()
        except (EOFError, OSError):
            raise SystemExit from None  # the outbox is gone
        self._finish = self._finish or word == FINISH
        return word

    def _tell(self, standing: Standing) -> None:
        self._standing = standing
        self._send(standing)

    def _send(self, message: Standing | Wish) -> None:
        try:
            self._line.send(message)
        except OSError:
            raise SystemExit from None

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._send(Wish(function, arguments))
        while (answer := self._listen()) == FINISH:
            continue
        return process.outcome(*answer)

    def _catch_up(self, ledger: Ledger, tracker: Tracker) -> None:
        while batch := self._next(ledger, self._most if isinstance(tracker, Batching) else 1):
            for news in batch:
                tracker.hear(news)
            if isinstance(tracker, Batching):
                tracker.flush()
            failpoints.reach("outbox.heard")
            self._tell(Standing(batch[-1].number))
            self._most = min(2 * self._most, BATCH)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save(ledger, self._sure)
        if self._standing.trouble:
            self._tell(Standing(self.heard))

    def _end(self, ledger: Ledger, tracker: Tracker) -> None:
        """Let the tracker hear the end of a session that could write none: it was killed, or its ledger taken away."""
        if self._source.over or ledger.gone:
            for news in _unwritten(ledger):
                tracker.hear(news)

    def _next(self, ledger: Ledger, most: int) -> list[News]:
        """The next records; the ledger is not kept open for reading, or its write-ahead log could not shrink."""
        with closing(ledger.read(self._standing.heard)) as records:
            return list(islice(records, most))

    def _save(self, ledger: Ledger, heard: int) -> None:
        if ledger.gone:  # it is read to its end all the same, but what lies under its name by now is another study's
            return
        write_text(self._cursor, f"{heard} {_checksum(heard, self._made.place)}")
        self._saved = time.monotonic()


def _unwritten(ledger: Ledger) -> list[News]:
    """What is told of a session after its records, where they break off."""
    sessions = ledger.select("kind IN ('SessionBegan', 'SessionEnded')")
    last = ledger.read(max(0, ledger.waiting(0) - 1))
    story = [*sessions, *last]
    return list(cut_off.ended(story, lambda: False))[len(story) :]
