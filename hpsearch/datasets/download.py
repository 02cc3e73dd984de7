"""Fetches files whose checksums are known, so that wrong bytes never get a file's name."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.datasets.addresses import NotFetched, as_address, shown
from hpsearch.datasets.storing import make_in_cache
from hpsearch.datasets.transfer import BrokenOff, Errand, bring
from hpsearch.datasets.turns import alone
from hpsearch.errors import DataRefused
from hpsearch.protocols import Progress

TRIES = 5


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name, the folders (addresses) that have it, "md5:…" or "sha256:…", its size at most."""

    name: str
    addresses: tuple[str, ...]
    checksum: str
    most_bytes: int


def fetch(files: Sequence[RemoteFile], folder: Path, progress: Progress, mirror: str | None = None) -> list[Path]:
    """Have all files in the folder, each verified; those that lie there already are not fetched again.

    `mirror` (an https, http or file address, or a folder) is asked in place of the files' own addresses.
    Raises DataRefused, which says what to put where by hand, when a file cannot be had; FolderUnusable when the disk is
    full.
    """
    with alone(make_in_cache(folder) / ".lock", folder.name):
        missing = [file for file in files if not matches(folder / file.name, file.checksum)]
        for place, file in enumerate(missing):
            if complaints := _fetch(file, folder, progress, mirror):
                raise DataRefused(_by_hand(missing[place:], folder, complaints))
    return [folder / file.name for file in files]


def matches(path: Path, checksum: str) -> bool:
    """Whether the file is there and has the checksum, "md5:…" or "sha256:…"."""
    if not path.is_file():
        return False
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest() == expected


def _fetch(file: RemoteFile, folder: Path, progress: Progress, mirror: str | None) -> list[str]:
    """Ask one address after the other; return what is wrong with each, nothing once the file is there."""
    complaints = []
    part = folder / f"{file.name}.part"
    for address in [as_address(mirror)] if mirror else file.addresses:
        url = f"{address.rstrip('/')}/{file.name}"
        try:
            _from(Errand(url, part, file.most_bytes, address if mirror else None), file.checksum, progress)
            part.replace(folder / file.name)
        except NotFetched as error:
            complaints.append(f"{shown(url)} {error}")
        else:
            return []
    return complaints


def _from(errand: Errand, checksum: str, progress: Progress) -> None:
    """Have the whole, verified file under its `.part` name; raise NotFetched."""
    for _ in range(TRIES):
        before = _size(errand.part)
        try:
            bring(errand, progress)
        except BrokenOff:
            if _size(errand.part) <= before:
                raise
            continue
        if matches(errand.part, checksum):
            return
        errand.part.unlink(missing_ok=True)
        if not before:  # otherwise the beginning may have been another file's: once more from the start
            message = f"gives other bytes than those with {_spelt(checksum)}"
            raise NotFetched(message)
    message = f"broke off {TRIES} times; the next try goes on from there"
    raise NotFetched(message)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _by_hand(files: Sequence[RemoteFile], folder: Path, complaints: Iterable[str]) -> str:
    """What to do without a network."""
    wanted = [
        f"    {file.name}  {_spelt(file.checksum)}"
        + ("  (what lies there under this name is something else)" if (folder / file.name).exists() else "")
        for file in files
    ]
    return "\n".join(
        [
            f"{', '.join(file.name for file in files)}: could not be fetched",
            *(f"  {complaint}" for complaint in complaints),
            f"  name another address with data.mirror or --mirror, or put by hand into {folder}",
            *wanted,
        ]
    )


def _spelt(checksum: str) -> str:
    return checksum.replace(":", " ", 1)
