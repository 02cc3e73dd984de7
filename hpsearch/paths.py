"""Every path that a run touches, and the one way to write a file or folder: whole, or not at all."""

import errno
import fnmatch
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpsearch import failpoints
from hpsearch.claiming import own_folder
from hpsearch.errors import FolderUnusable
from hpsearch.swapping import swap

MB = 1_000_000
LEAST_FREE, LEAST_SHARE = 500 * MB, 0.05  # of a disk; with less a person is warned
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
UNSYNCED = frozenset({errno.EINVAL, errno.ENOTSUP})  # what some network file systems say to the syncing of a folder
LEDGER, BACKUP = "ledger.db", "ledger.backup.db"
LEDGERS = "ledger*.db"  # these two, and what a repair made or set aside: where one of them is, a study was begun
ROOT_MARKS = ("pyproject.toml", "experiments", "searchspace", "mlruns", ".git")


@dataclass(frozen=True)
class Study:
    """The paths of one study."""

    folder: Path

    @property
    def ledger(self) -> Path:
        """The truth about the study."""
        return self.folder / LEDGER

    @property
    def backup(self) -> Path:
        """The ledger as it was a while ago."""
        return self.folder / BACKUP

    @property
    def begun(self) -> bool:
        """Whether there is a study: a ledger, or what is left of one."""
        return any(self.folder.glob(LEDGERS))

    @property
    def lock(self) -> Path:
        """Held by the one coordinator."""
        return self.folder / "lock"

    @property
    def holder(self) -> Path:
        """Who that is."""
        return self.folder / "holder.json"

    @property
    def cursor(self) -> Path:
        """How far MLflow has heard the ledger."""
        return self.folder / "mlflow.cursor"

    @property
    def experiment(self) -> Path:
        """The resolved experiment, for people to read."""
        return self.folder / "experiment.json"

    @property
    def splits(self) -> Path:
        """Which rows train and which validate."""
        return self.folder / "splits"

    @property
    def fits(self) -> Path:
        """A folder for each fit: log, checkpoint, best weights."""
        return self.folder / "fits"

    @property
    def predictions(self) -> Path:
        """What each judged model read on the test split: FIT.npz, see worker/judging.py."""
        return self.folder / "predictions"

    @property
    def best(self) -> Path:
        """The winner: model, classification report, pictures."""
        return self.folder / "best"

    @property
    def corrections(self) -> Path:
        """Images whose answers a person corrected, in a folder for each class."""
        return self.folder / "corrections"

    @property
    def report(self) -> Path:
        """The report a person opens in a browser."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Project:
    """The paths of a project: the folder with experiments/ and searchspace/."""

    root: Path

    @classmethod
    def around(cls, start: Path) -> "Project":
        """The nearest folder at or above `start` that looks like a project, else `start` itself."""
        start = start.absolute()  # not resolved: a linked folder belongs to the project that links to it
        for folder in (start, *start.parents):
            if any((folder / mark).exists() for mark in ROOT_MARKS):
                return cls(folder)
        return cls(start)

    @property
    def runs(self) -> Path:
        """All that runs leave behind."""
        return self.root / "mlruns"

    @property
    def mlflow(self) -> Path:
        """MLflow's database, shared by the project's studies."""
        return self.runs / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """MLflow's files."""
        return self.runs / "artifacts"

    @property
    def lock(self) -> Path:
        """Held while MLflow's database is created or migrated."""
        return self.runs / "mlflow.lock"

    def study(self, name: str) -> Study:
        """The paths of the study of this name."""
        return Study(self.runs / "studies" / name)

    def studies(self) -> list[str]:
        """The names of all studies, in order; among them what may be one, but lets nobody look into it."""
        try:
            folders = list((self.runs / "studies").iterdir())
        except OSError:
            return []
        return sorted(folder.name for folder in folders if _may_be_study(folder))


def _may_be_study(folder: Path) -> bool:
    """Whether a ledger is in the folder; yes where that cannot be seen, so that nothing is counted without it."""
    try:
        return bool(fnmatch.filter(os.listdir(folder), LEDGERS))  # noqa: PTH208  # names alone, which need no stat
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def cache() -> Path:
    """Where data sets are kept: HPSEARCH_DATA, or the platform's cache folder."""
    if chosen := os.environ.get("HPSEARCH_DATA"):
        return expanded(chosen).resolve()
    from platformdirs import user_cache_path

    return user_cache_path("hpsearch")


def expanded(path: Path | str) -> Path:
    """A path whose "~" is the home folder; where there is no such user or home, "~" begins a name as any other sign."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def make(folder: Path) -> Path:
    """Create a folder for the owner alone, or raise FolderUnusable with the path and the user id."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(folder) from error
        in_the_way = error.errno in {errno.EEXIST, errno.ENOTDIR}
        mend = "move the file in its way" if in_the_way else "make its parent writable for you"
        message = f"{folder}: cannot create this folder ({error.strerror})\n  {mend} or choose another place"
        raise FolderUnusable(message) from error
    if not os.access(folder, os.W_OK):
        message = f"{folder}: this folder cannot be written to by {whoami()}"
        raise FolderUnusable(message)
    return folder


def write(path: Path, fill: Callable[[Path], None]) -> None:
    """Have `fill` write a file of this name in a folder beside `path`, make it durable, then move it there, for good.

    What killed processes left of such files of this name is cleared away.
    Raises FolderUnusable when the disk is full, or its folder is gone or not to be written to.
    """
    write_over(path, fill)
    with _in_words(path):
        _make_durable(path.parent)


def write_over(path: Path, fill: Callable[[Path], None]) -> None:
    """Do the same for what is written over and over, some milliseconds sooner.

    When the power fails, the file may be the one before, whole.
    """
    with _in_words(path):
        _write(path, fill)


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unusable(path, error) from error


def _write(path: Path, fill: Callable[[Path], None]) -> None:
    with own_folder(path) as folder:
        temporary = folder / path.name
        temporary.touch(mode=0o600)
        fill(temporary)
        _make_durable(temporary)
        failpoints.reach(f"{path.name}.filled")
        temporary.replace(path)
        failpoints.reach(f"{path.name}.renamed")


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have `fill` write a temporary folder beside `folder`, make it durable, then give it its name.

    What is there under the name is replaced whole. A process killed at any moment leaves the old folder or the new
    one; what it left beside them is cleared away by the next. Raises FolderUnusable as `write` does.
    """
    make(folder.parent)
    with _in_words(folder):
        _write_folder(folder, fill)


def _write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    with own_folder(folder) as temporary:
        fill(temporary)
        for written in (*temporary.rglob("*"), temporary):
            _make_durable(written)
        failpoints.reach(f"{folder.name}.filled")
        _take_place(temporary, folder)
        _make_durable(folder.parent)
        failpoints.reach(f"{folder.name}.renamed")


def _make_durable(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    if path.is_dir() and os.name != "posix":  # Windows opens no folders ...
        return
    writable = path.is_file() and os.access(path, os.W_OK)
    opened = os.open(path, os.O_RDWR if writable else os.O_RDONLY)  # ... and flushes no file that is open to be read
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in UNSYNCED or not path.is_dir():
            raise
    finally:
        os.close(opened)


def _take_place(temporary: Path, folder: Path) -> None:
    """Give the temporary folder its name; what had the name is the temporary one then, or gone."""
    if not folder.exists():
        temporary.rename(folder)
    elif not swap(temporary, folder):  # two steps then: for a moment nothing has the name
        before = folder.with_name(f"{temporary.name}.before")
        folder.rename(before)
        temporary.rename(folder)
        shutil.rmtree(before, ignore_errors=True)


def whoami() -> str:
    """The user that this process runs as, for people: by number where users have one (Windows has none)."""
    return f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"


def unusable(path: Path, error: OSError) -> FolderUnusable:
    """Why a file cannot be written, in words for a person."""
    if of_full_disk(error):
        return disk_full(path)
    why = {errno.ENOENT: "its folder is gone", errno.EROFS: f"not by {whoami()}: {error.strerror}"}
    return FolderUnusable(f"{path}: cannot be written ({why.get(error.errno or 0, error.strerror or error)})")


def of_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, is of a full disk, which libraries tell in classes and words of their own."""
    while error:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(os.strerror(number) in str(error) for number in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_full(path: Path) -> FolderUnusable:
    """Say that there is no room for a file, and how much there is."""
    return FolderUnusable(f"disk full: {path}, {room(path) // MB} MB free\n  make room; the same command goes on then")


def scarcity(folder: Path) -> str:
    """A warning where little room is left on a folder's disk, "" where there is enough."""
    disk = shutil.disk_usage(folder)
    if disk.free >= LEAST_FREE and disk.free >= LEAST_SHARE * disk.total:
        return ""
    return (
        f"warning: {folder}: only {disk.free // MB} MB are free on this disk\n"
        "  when it is full the search stops; the same command goes on when there is room"
    )


def room(path: Path) -> int:
    """The bytes that are free where a file is, or is to be."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""

    def fill(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write(path, fill)
