"""Makes a ledger's file, and brings one of an older hpsearch to the form of this one, whole or not at all."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from hpsearch import files
from hpsearch.errors import HpsearchError
from hpsearch.wal import PAGE

OLDEST = (3, 37)  # of SQLite: the first that knows STRICT tables
LITTLE_CACHE = "PRAGMA cache_size=64"
"""Pages, for who goes through a ledger once: the 2 MB that SQLite takes itself would stay with the thread's heap."""
Step = Callable[[sqlite3.Connection], object]


def _first(db: sqlite3.Connection) -> None:
    db.execute("""CREATE TABLE log (
        number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, searched REAL NOT NULL,
        kind TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT""")


STEPS: tuple[Step, ...] = (_first,)  # each brings the file one schema further, inside a transaction
SCHEMA = len(STEPS)


def refuse_old_sqlite() -> None:
    """Raise HpsearchError where Python brings an SQLite that can neither make a ledger nor read one."""
    if sqlite3.sqlite_version_info < OLDEST:
        there, needed = (".".join(map(str, version)) for version in (sqlite3.sqlite_version_info, OLDEST))
        mend = "take another Python: those of uv, conda and python.org bring a newer one"
        message = f"this Python brings SQLite {there}, and hpsearch needs {needed} or newer\n  {mend}"
        raise HpsearchError(message)


def create(path: Path) -> None:
    """Make an empty ledger, so that a file of this name is always a whole one."""

    def fill(temporary: Path) -> None:
        with closing(sqlite3.connect(temporary, isolation_level=None)) as db:
            db.execute(f"PRAGMA page_size={PAGE}")
            _step_up(db, 0, STEPS)

    files.write(path, fill)


def migrate(path: Path, version: int, steps: Sequence[Step] = STEPS) -> None:
    """Take an older ledger through the steps it lacks, in one transaction; a copy of what it was stays beside it."""
    copy(path, path.with_name(f"{path.stem}.schema-{version}.db"))
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        db.execute("PRAGMA synchronous=FULL")
        _step_up(db, version, steps)


def _step_up(db: sqlite3.Connection, version: int, steps: Sequence[Step]) -> None:
    db.execute("BEGIN IMMEDIATE")
    for step in steps[version:]:
        step(db)
    db.execute(f"PRAGMA user_version={len(steps)}")
    db.execute("COMMIT")


def copy(source: Path, to: Path, check: Callable[[Path], None] = lambda _copied: None) -> None:
    """Copy a ledger as of its last transaction, also while it is written to; the copy is one file that stands alone.

    What `check` raises of the copy keeps it from getting its name.
    """

    def fill(temporary: Path) -> None:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as old,
            closing(sqlite3.connect(temporary, isolation_level=None)) as new,
        ):
            for db in (old, new):
                db.execute(LITTLE_CACHE)
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
        check(temporary)

    files.write(to, fill)
