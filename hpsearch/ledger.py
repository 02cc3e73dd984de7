"""The truth about a study: an append-only log of records in one SQLite file, with one writer.

A record is durable (WAL, synchronous=FULL) when its transaction is: at once for what must never be
lost, within 50 ms or 500 rows for the rest. Every row carries a checksum of its canonical JSON,
because SQLite's own check does not see a flipped digit. Everything else (the state of the search,
the tuner's memory, MLflow) is a fold of this log and can be made again from it.
"""

import json
import re
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter
from pydantic_core import from_json

from hpsearch import failpoints
from hpsearch.errors import StateDamaged
from hpsearch.records import Answered, Body, News
from hpsearch.space import Parameter

SCHEMA = 1
GROUP_ROWS = 500
GROUP_SECONDS = 0.05
KINDS = {kind.__name__: kind for kind in get_args(Body)}
_PARAMETER = TypeAdapter(Parameter)
_ANSWERED = re.compile(rb'\{"trial":(\d+),"parameter":(\{.*\}),"value":(.*)\}', re.DOTALL)  # as `write` writes it
TABLE = """CREATE TABLE log (
    number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, searched REAL NOT NULL,
    kind TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT"""


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


def _checksum(number: int, time_ms: int, searched: float, kind: str, body: bytes) -> int:
    return zlib.crc32(f"{number} {time_ms} {searched!r} {kind} ".encode() + body)


class Ledger:
    """One study's log. `searched` tells the seconds of searching that a new record is stamped with."""

    def __init__(self, path: Path, searched: Callable[[], float] = lambda: 0.0, *, writer: bool = True) -> None:
        """Open the file, creating it for the writer; raise StateDamaged when it is not a whole ledger."""
        self._path, self._searched = path, searched
        try:
            self._db = _connect(path, writer=writer)
            self._last = self._count()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter for a complaint in broken letters
            raise _damaged(path, str(error)) from error
        self._rows, self._since = 0, 0.0

    def _count(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM log").fetchone()[0])

    def write(self, body: Body, *, durable: bool = False) -> News:
        """Append a record; with `durable` it is safe on disk when this returns, with all before it."""
        kind = type(body).__name__
        number, time_ms, searched = self._last + 1, time.time_ns() // 1_000_000, self._searched()
        text = _codec(kind).dump_json(body)
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
            self._since = time.monotonic()
        row = (number, time_ms, searched, kind, text, _checksum(number, time_ms, searched, kind, text))
        self._db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", row)
        self._last, self._rows = number, self._rows + 1
        failpoints.reach(f"{kind}.written")
        if durable or self._rows >= GROUP_ROWS:
            self.commit()
            failpoints.reach(f"{kind}.durable")
        return News(number, time_ms, searched, body)

    def commit_due(self) -> None:
        """Commit what has waited long enough."""
        if self._rows and time.monotonic() - self._since >= GROUP_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything written so far durable."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._rows = 0

    def recover(self) -> None:
        """After an interruption in the middle of a write: go back to what is durable."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._rows, self._last = 0, self._count()

    def waiting(self, after: int) -> int:
        """How many records come after a number."""
        return max(0, self._count() - after)

    def read(self, after: int = 0) -> Generator[News]:
        """All records after a number, in order; raise StateDamaged at the first that is not what was written."""
        try:
            for number, time_ms, searched, kind, text, checksum in self._db.execute(
                "SELECT * FROM log WHERE number > ? ORDER BY number", (after,)
            ):
                after += 1
                if number != after or kind not in KINDS or checksum != _checksum(number, time_ms, searched, kind, text):
                    raise _damaged(self._path, f"record {after} is missing or is not what was written")
                yield News(number, time_ms, searched, _read(kind, text))
        except ValueError as error:  # pydantic's ValidationError is one
            raise _damaged(self._path, f"record {after} is of another version of hpsearch") from error
        except sqlite3.DatabaseError as error:
            raise _damaged(self._path, str(error)) from error

    def recall(self, kinds: Collection[type[Body]]) -> Iterator[News]:
        """The records of some kinds, in order, of a log that was read whole before: they are not checked again."""
        names = json.dumps([kind.__name__ for kind in kinds])
        for number, time_ms, searched, kind, text in self._db.execute(
            "SELECT number, time_ms, searched, kind, body FROM log "
            "WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY number",
            (names,),
        ):
            yield News(number, time_ms, searched, _read(kind, text))

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        self._db.close()


def _connect(path: Path, *, writer: bool) -> sqlite3.Connection:
    if not writer:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60, check_same_thread=False)
    db = sqlite3.connect(path, isolation_level=None, timeout=60)
    path.chmod(0o600)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        message = f"{path}: written by a newer hpsearch (schema {version}, this one knows {SCHEMA})\n  update hpsearch"
        raise StateDamaged(message)
    if version == 0:
        db.executescript(f"BEGIN; {TABLE}; PRAGMA user_version={SCHEMA}; COMMIT")
    return db


def _damaged(path: Path, what: str) -> StateDamaged:
    return StateDamaged(
        f"{path}: the study's ledger is damaged: {what}\n"
        "  nothing was changed; restore the file from a backup, or begin anew with --fresh"
    )
