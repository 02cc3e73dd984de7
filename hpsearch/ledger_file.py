"""Opens the SQLite file of a ledger, and says in words what is wrong with it."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpsearch import disk, file_systems, schema, wal
from hpsearch.errors import FolderUnusable, HpsearchError, NeedsNewer, RunningElsewhere, StateDamaged

Say = Callable[[str], None]
BUSY_SECONDS, PATIENCE_SECONDS = 2.0, 60.0  # until a word is said about another process that has the file; in all
NO_RIGHTS = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
TRY_SECONDS = 0.05  # until SQLite comes back from one try: Python hears a signal no sooner, and two of a kind as one


def to_read(path: Path) -> sqlite3.Connection:
    """Open for reading; SQLite writes only where a killed process left a journal to be rolled back.

    In a folder that may not be written to it could not keep watch for a writer; a ledger without a write-ahead log has
    none, and is read as a file that nobody changes. Raises StateDamaged when there is no file.
    """
    _refuse_missing(path)
    journal, log = (path.with_name(f"{path.name}-{what}") for what in ("journal", "wal"))
    still = not (os.access(path.parent, os.W_OK) or journal.exists() or log.exists())
    mode = "mode=rw" if journal.exists() else "immutable=1" if still else "mode=ro"
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE_SECONDS, check_same_thread=False)


def to_write(path: Path, say: Say) -> sqlite3.Connection:
    """Open for writing, with a write-ahead log unless the file system is one that several machines share."""
    db = sqlite3.connect(path, isolation_level=None, timeout=TRY_SECONDS)
    with suppress(PermissionError):  # a mount that shows another owner; `files.write` made it so already
        path.chmod(0o600)
    kind = file_systems.kind(path)
    wanted = "DELETE" if file_systems.is_shared(kind) else "WAL"
    mode = patiently(db, f"PRAGMA journal_mode={wanted}", say).fetchone()[0]
    if mode != "wal":
        say(f"warning: {path.parent} is on {kind}, where SQLite's write-ahead log cannot be used; writing is slower")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(schema.LITTLE_CACHE)
    return db


def patiently(db: sqlite3.Connection, words: str, say: Say, patience: float | None = None) -> sqlite3.Cursor:
    """Run a statement; while another process has the file locked, say so and wait, up to a minute in all."""
    began, said = time.monotonic(), False
    patience = PATIENCE_SECONDS if patience is None else patience
    while True:
        try:
            return db.execute(words)
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - began
            if not _is_busy(error) or waited > patience:
                raise
            if waited > BUSY_SECONDS and not said:
                say("the study's ledger is locked by another process: waiting for it")
                said = True


def _is_busy(error: sqlite3.Error) -> bool:
    """Whether another process has the file; SQLITE_PROTOCOL says so after races for it that were lost for seconds."""
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"))


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def refuse_unsound(path: Path) -> None:
    """Raise StateDamaged, changing nothing, when SQLite would not find in the file all that was written to it."""
    _refuse_missing(path)
    if not path.stat().st_size:
        raise damaged(path, "it is empty")
    if wal.hides_transactions(path.with_name(f"{path.name}-wal")):
        raise damaged(path, "its write-ahead log is not what was written")


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise damaged(path, "it is missing, though the study was begun")


def refuse_other(path: Path, version: int) -> None:
    """Raise NeedsNewer for a ledger of a newer hpsearch, StateDamaged for an older one, which only a run changes."""
    if version > schema.SCHEMA:
        message = (
            f"{path}: this study needs a newer hpsearch (its schema is {version}, this one knows {schema.SCHEMA})\n"
            "  update hpsearch"
        )
        raise NeedsNewer(message)
    if version < 1:
        raise damaged(path, f"there is no schema {version}")
    if version < schema.SCHEMA:
        message = f"{path}: written by an older hpsearch (schema {version})\n  run its experiment again with this one"
        raise StateDamaged(message)


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Within: what SQLite, or the system, says of a file becomes an error that a person can act on."""
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot be read or written by {disk.whoami()} ({error.strerror})"
        raise FolderUnusable(message) from error
    except sqlite3.ProgrammingError:  # a mistake of ours, not of the file
        raise
    except sqlite3.DatabaseError as error:
        raise _meaning(path, error) from error


def out_of_reach(path: Path, error: HpsearchError) -> bool:
    """Whether an error that `in_words` made says nothing of what the file holds: another has it, rights or room lack.

    To read a file that has a write-ahead log takes some room, too.
    """
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return False
    return _is_busy(cause) or _lacks_room(path, cause) or _name(cause).startswith(NO_RIGHTS)


def _lacks_room(path: Path, error: sqlite3.Error) -> bool:
    name = _name(error)
    return name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and disk.room(path) < disk.MB)


def _meaning(path: Path, error: sqlite3.Error) -> HpsearchError:
    """No room, no rights, another process that has the file, or damage."""
    name = _name(error)
    if _lacks_room(path, error):
        return disk.disk_full(path)
    if _is_busy(error):
        mend = "end that process (an open SQLite shell, a backup), and run the same command again"
        return FolderUnusable(f"{path}: locked by another process for {PATIENCE_SECONDS:.0f} s\n  {mend}")
    if name.startswith((*NO_RIGHTS, "SQLITE_IOERR")):
        mend = "" if name.startswith(NO_RIGHTS) else "\n  its disk may be failing, or a quota be used up"
        return FolderUnusable(f"{path}: cannot be read or written by {disk.whoami()} ({error}){mend}")
    return shared(path) if name.startswith("SQLITE_CONSTRAINT") else damaged(path, str(error))


def shared(path: Path) -> RunningElsewhere:
    """Say that a record of this process's next number was there already."""
    mend = "wait until that process has ended, then run the same command again"
    return RunningElsewhere(f"{path}: another process writes to it too, since the study's lock was removed\n  {mend}")


def damaged(path: Path, what: str) -> StateDamaged:
    """Say what is wrong with a ledger, that it was left as it is, and what there is to mend it with."""
    backup = path.with_name(f"{path.stem}.backup.db")
    kept = "no backup is there"
    if backup.exists():
        kept = f"the last good backup is {backup.name}, of {time.strftime('%d %B, %H:%M', _made(backup))}"
    return StateDamaged(
        f"{path}: the study's ledger is damaged: {what}\n"
        f"  nothing was changed; {kept}\n"
        f"  to restore what can be had: hpsearch repair {path.parent.name}; to begin anew: --fresh"
    )


def _made(file: Path) -> time.struct_time:
    return time.localtime(file.stat().st_mtime)
