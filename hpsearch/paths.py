"""Every path that a run touches."""

import fnmatch
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpsearch.errors import FolderUnusable

LEDGER, BACKUP = "ledger.db", "ledger.backup.db"
LEDGERS = "ledger*.db"  # these two, and what a repair made or set aside: where one of them is, a study was begun
MODEL = "model.keras"
ROOT_MARKS = ("pyproject.toml", "experiments", "searchspace", "mlruns", ".git")


@dataclass(frozen=True)
class FitFiles:
    """The files of one fit, in a folder of its own."""

    folder: Path

    @property
    def log(self) -> Path:
        """What its attempts printed, one after another."""
        return self.folder / "log.txt"

    @property
    def checkpoint(self) -> Path:
        """What an attempt can go on from."""
        return self.folder / "checkpoint.bin"

    @property
    def weights(self) -> Path:
        """Those of its best epoch."""
        return self.folder / "best.bin"

    @property
    def hits(self) -> Path:
        """Which validation rows it got right in its best epoch, see hits.py."""
        return self.folder / "hits.bin"

    @property
    def model(self) -> Path:
        """Where a final fit leaves its model."""
        return self.folder / MODEL

    def epoch(self, number: int) -> Path:
        """Where a final fit leaves its weights as they were after an epoch, if the recipe says so."""
        return self.folder / "epochs" / f"{number:04}.bin"


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
        """A folder for each fit, see FitFiles."""
        return self.folder / "fits"

    def fit(self, name: str) -> FitFiles:
        """The files of the fit of this name."""
        return FitFiles(self.fits / name)

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
        # Resolved only where it climbs: else a linked folder belongs to the project that links to it.
        start = start.resolve() if ".." in start.parts else start.absolute()
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

    def free_name(self, wanted: str) -> str:
        """A name that no study has: the one that is wanted, or that and a number, cut to what a name may have."""
        number = 2
        name = base = wanted[:75].rstrip(".-_")
        while self.taken(name):
            name, number = f"{base}-{number}", number + 1
        return name

    def taken(self, name: str) -> str | None:
        """The study of this name, or else one whose name differs in capitals alone: many disks do not tell them."""
        alike = [other for other in self.studies() if other.casefold() == name.casefold()]
        return name if name in alike else next(iter(alike), None)


def _may_be_study(folder: Path) -> bool:
    """Whether a ledger is in the folder; yes where that cannot be seen, so that nothing is counted without it."""
    try:
        return bool(fnmatch.filter(os.listdir(folder), LEDGERS))  # noqa: PTH208  # names alone, which need no stat
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def cache() -> Path:
    """Where data sets are kept: HPSEARCH_DATA, or the platform's cache folder; raise FolderUnusable without a home."""
    if chosen := os.environ.get("HPSEARCH_DATA"):
        return expanded(chosen).resolve()
    from platformdirs import user_cache_path

    with suppress(RuntimeError):  # an older platformdirs makes a folder "~" of a home that is not there
        if (folder := user_cache_path("hpsearch")).is_absolute():
            return folder
    message = "there is no home folder to keep data in\n  set HOME, or HPSEARCH_DATA to a folder for the data"
    raise FolderUnusable(message)


def expanded(path: Path | str) -> Path:
    """A path whose "~" is the home folder; where there is no such user or home, "~" begins a name as any other sign."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def in_address(path: Path) -> str:
    """A path as it stands in an "sqlite:///" address, in which "?" begins a query and "%3F" is one; its bytes stay."""
    from urllib.parse import quote

    return quote(path.as_posix(), safe="/: '()[]!$&*+,;=@", errors="surrogateescape")
