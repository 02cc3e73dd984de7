"""The truth about a study: an append-only log of records in one SQLite file, with one writer.

A record is durable (WAL, synchronous=FULL) when its transaction is: at once for what must never be
lost; for the rest after 500 rows, or when its writer looks at the clock and 50 ms have passed. Every
row carries a checksum of its canonical JSON, because SQLite's own check does not see a flipped
digit. A file is opened for writing only after it was read, so that a damaged one stays as it is.
Everything else (the state of the search, the tuner's memory, MLflow) is a fold of this log and can
be made again from it.
"""

import json
import re
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter
from pydantic_core import from_json

from hpsearch import failpoints, ledger_file, schema
from hpsearch.errors import FolderUnusable
from hpsearch.records import Answered, Body, News
from hpsearch.space import Parameter

GROUP_ROWS = 500
GROUP_SECONDS = 0.05
LAST_SECONDS = 1.0  # what a session that ends before its time waits for another process that has the file
Row = tuple[int, int, float, str, bytes, int]
KINDS = {kind.__name__: kind for kind in get_args(Body)}
_MISSING = "SELECT (SELECT coalesce(max(number), 0) FROM log) - (SELECT count(*) FROM log)"  # as of one moment
_PARAMETER = TypeAdapter(Parameter)
_ANSWERED = re.compile(rb'\{"trial":(\d+),"parameter":(\{.*\}),"value":(.*)\}', re.DOTALL)  # as `write` writes it


@cache
def _codec(kind: str) -> TypeAdapter[Body]:
    return TypeAdapter(KINDS[kind])


@lru_cache(maxsize=4096)
def _parameter(text: bytes) -> Parameter:
    """One record for all answers to the same question: a long study has a dozen answers a trial."""
    return _PARAMETER.validate_json(text)


def _read(kind: str, text: bytes) -> Body:
    if kind == Answered.__name__ and (parts := _ANSWERED.fullmatch(text)):
        number, parameter, value = parts.groups()
        return Answered(int(number), _parameter(parameter), from_json(value))
    body: Body = _codec(kind).validator.validate_json(text)  # without the adapter's own layer, once a record
    return body


def checksum(number: int, time_ms: int, searched: float, kind: str, body: bytes) -> int:
    """The CRC-32 that a record is kept with."""
    return zlib.crc32(f"{number} {time_ms} {searched!r} {kind} ".encode() + body)


def _silent(_text: str) -> None:
    return


class Ledger:
    """One study's log. `searched` tells the seconds of searching that a new record is stamped with.

    Raises StateDamaged for a file that does not hold what was written, FolderUnusable when the disk is full, the file
    was removed, or another process has had it locked for a minute; `say` hears of the waiting.
    """

    def __init__(
        self,
        path: Path,
        searched: Callable[[], float] = lambda: 0.0,
        *,
        writer: bool = True,
        say: ledger_file.Say = _silent,
    ) -> None:
        """Open the file, for the writer after a look at all of it; make it if there is none."""
        schema.refuse_old_sqlite()
        self._path, self._searched, self._say = path, searched, say
        self._rows, self._since, self._writes = 0, 0.0, False
        self._patience: float | None = None
        with ledger_file.in_words(path):
            if writer:
                _make_ready(path)
            self._db = ledger_file.to_read(path)
            self._inode = path.stat().st_ino
        try:
            self._last = self._look(whole=writer)
        except BaseException:
            self._db.close()
            raise

    def _look(self, *, whole: bool) -> int:
        with ledger_file.in_words(self._path):
            ledger_file.refuse_other(self._path, _version(self._db))
            if whole:
                self.check()
            return self._count()

    def check(self) -> None:
        """Raise StateDamaged when the file's pages do not hang together; read() looks at the records themselves."""
        with ledger_file.in_words(self._path):
            self._db.execute(schema.LITTLE_CACHE)
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise ledger_file.damaged(self._path, found.replace("\n", " "))

    def _count(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM log").fetchone()[0])

    def write(self, body: Body, *, durable: bool = False) -> News:
        """Append a record; with `durable` it is safe on disk when this returns, with all before it."""
        kind = type(body).__name__
        number, time_ms, searched = self._last + 1, time.time_ns() // 1_000_000, self._searched()
        text = _codec(kind).dump_json(body)
        row = (number, time_ms, searched, kind, text, checksum(number, time_ms, searched, kind, text))
        with ledger_file.in_words(self._path):
            self._begin()
            self._db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", row)
        self._last, self._rows = number, self._rows + 1
        failpoints.reach(f"{kind}.written")
        if durable or self._rows >= GROUP_ROWS:
            self.commit()
            failpoints.reach(f"{kind}.durable")
        return News(number, time_ms, searched, body)

    def _begin(self) -> None:
        if not self._writes:
            self.refuse_if_gone()
            self._db.close()
            self._db, self._writes = ledger_file.to_write(self._path, self._say), True
        if not self._db.in_transaction:
            ledger_file.patiently(self._db, "BEGIN IMMEDIATE", self._say, self._patience)
            self._since = time.monotonic()

    def commit_due(self) -> None:
        """Commit what has waited long enough; raise FolderUnusable when the file was removed."""
        self.refuse_if_gone()
        if self._rows and time.monotonic() - self._since >= GROUP_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything written so far durable."""
        if self._writes and self._db.in_transaction:
            self.refuse_if_gone()
            with ledger_file.in_words(self._path):
                ledger_file.patiently(self._db, "COMMIT", self._say, self._patience)
        self._rows = 0

    @property
    def gone(self) -> bool:
        """Whether the file that was opened has lost its name, which another may have by now."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def refuse_if_gone(self) -> None:
        """Raise FolderUnusable when the file was removed: SQLite would go on writing to one without a name."""
        if self.gone:
            message = f"{self._path}: removed while the study was running\n  the study is stopped, and not made anew"
            raise FolderUnusable(message)

    def recover(self) -> None:
        """After an interruption in the middle of a write: go back to what is durable, and wait for nobody any more.

        Raises RunningElsewhere where that is more than this process wrote.
        """
        self._patience = LAST_SECONDS
        with ledger_file.in_words(self._path):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if (durable := self._count()) > self._last:
                raise ledger_file.shared(self._path)
            self._rows, self._last = 0, durable

    def waiting(self, after: int) -> int:
        """How many records come after a number."""
        return max(0, self._count() - after)

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Within: a reader sees the log as of one moment, whatever is written meanwhile.

        Not to be held for long: until it ends, SQLite's write-ahead log cannot begin anew, and grows.
        """
        with ledger_file.in_words(self._path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    def read(self, after: int = 0) -> Generator[News]:
        """All records after a number, in order; raise StateDamaged at the first that is not what was written."""
        for number, time_ms, searched, kind, text, _ in self.rows(after):
            yield self._understood(number, time_ms, searched, kind, text)

    def select(self, where: str, *values: str) -> Generator[News]:
        """The records for which an SQL condition holds, in order; each is checked, and no number may be missing."""
        with ledger_file.in_words(self._path):
            if missing := self._db.execute(_MISSING).fetchone()[0]:
                raise ledger_file.damaged(self._path, f"{missing} records are missing")
            query = f"SELECT * FROM log WHERE {where} ORDER BY number"  # noqa: S608  # conditions are our own
            for number, time_ms, searched, kind, text, checked in self._db.execute(query, values):
                if kind not in KINDS or checked != checksum(number, time_ms, searched, kind, text):
                    raise ledger_file.damaged(self._path, f"record {number} is not what was written")
                yield self._understood(number, time_ms, searched, kind, text)

    def _understood(self, number: int, time_ms: int, searched: float, kind: str, text: bytes) -> News:
        try:
            return News(number, time_ms, searched, _read(kind, text))
        except ValueError as error:  # pydantic's ValidationError is one
            raise ledger_file.damaged(self._path, f"record {number} is of another version of hpsearch") from error

    def rows(self, after: int = 0) -> Generator[Row]:
        """The same as they lie in the file: checked, but not understood."""
        with ledger_file.in_words(self._path):
            for row in self._db.execute("SELECT * FROM log WHERE number > ? ORDER BY number", (after,)):
                after += 1
                *said, checked = row
                if said[0] != after or said[3] not in KINDS or checked != checksum(*said):
                    raise ledger_file.damaged(self._path, f"record {after} is missing or is not what was written")
                yield row

    def recall(self, kinds: Collection[type[Body]]) -> Iterator[News]:
        """The records of some kinds, in order, of a log that was read whole before: they are not checked again."""
        names = json.dumps([kind.__name__ for kind in kinds])
        with ledger_file.in_words(self._path):
            for number, time_ms, searched, kind, text in self._db.execute(
                "SELECT number, time_ms, searched, kind, body FROM log "
                "WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY number",
                (names,),
            ):
                yield News(number, time_ms, searched, _read(kind, text))

    def close(self) -> None:
        """Commit and let go of the file."""
        try:
            self.commit()
        finally:
            self._db.close()


def _make_ready(path: Path) -> None:
    """Before a writer opens the file: make it if there is none, refuse what is damaged, migrate what is older."""
    if not path.exists() and not any(path.parent.glob(f"{path.stem}*.db")):
        schema.create(path)
    ledger_file.refuse_unsound(path)
    with closing(ledger_file.to_read(path)) as db:
        version = _version(db)
    if 0 < version < schema.SCHEMA:
        schema.migrate(path, version)


def _version(db: sqlite3.Connection) -> int:
    return int(ledger_file.patiently(db, "PRAGMA user_version", _silent).fetchone()[0])
