"""Every path that a run touches, and the one way to write a file: whole, or not at all."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpsearch import failpoints
from hpsearch.errors import FolderUnusable

ROOT_MARKS = ("pyproject.toml", "experiments", "searchspace", "mlruns", ".git")


@dataclass(frozen=True)
class Study:
    """The paths of one study."""

    folder: Path

    @property
    def ledger(self) -> Path:
        """The truth about the study."""
        return self.folder / "ledger.db"

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
    def best(self) -> Path:
        """The winner: model, classification report, pictures."""
        return self.folder / "best"

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
        """The names of all studies, in order."""
        return sorted(ledger.parent.name for ledger in (self.runs / "studies").glob("*/ledger.db"))


def cache() -> Path:
    """Where data sets are kept: HPSEARCH_DATA, or the platform's cache folder."""
    if chosen := os.environ.get("HPSEARCH_DATA"):
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("hpsearch")


def make(folder: Path) -> Path:
    """Create a folder for the owner alone, or raise FolderUnusable with the path and the user id."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        mend = "make its parent writable for you or choose another place"
        message = f"{folder}: cannot create this folder ({error.strerror})\n  {mend}"
        raise FolderUnusable(message) from error
    if not os.access(folder, os.W_OK):
        message = f"{folder}: this folder cannot be written to by user {os.getuid()}"
        raise FolderUnusable(message)
    return folder


def write(path: Path, fill: Callable[[Path], None]) -> None:
    """Have `fill` write a temporary file beside `path`, make it durable, then give it its name."""
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix, delete=False
    ) as file:
        temporary = Path(file.name)
    try:
        fill(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        failpoints.reach(f"{path.name}.filled")
        temporary.replace(path)
        failpoints.reach(f"{path.name}.renamed")
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""

    def fill(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write(path, fill)
