"""Takes wanted members, and nothing else, out of a zip archive."""

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hpsearch.datasets.storing import telling_when_full
from hpsearch.errors import DataRefused, FolderUnusable
from hpsearch.zips import open_zip

CHUNK = 1 << 20
ENCRYPTED = 0x1


def take_out(archive: Path, members: Sequence[str], folder: Path, most_bytes: int) -> list[Path]:
    """Write each member into the folder under its own last name, in all at most `most_bytes`.

    Raises DataRefused at what is wrong with the archive, FolderUnusable when the disk is full.
    Only names that we ask for are looked up, so no name in the archive ever becomes a path.
    """
    try:
        with open_zip(archive) as opened:
            entries = [_entry(archive, opened, member) for member in members]
            _refuse_beyond(most_bytes, archive, entries)
            return [_write(opened, entry, folder) for entry in entries]
    except (DataRefused, FolderUnusable):
        raise
    except Exception as error:  # zipfile stumbles over a damaged archive in a dozen ways (struct.error, KeyError, …)
        message = f"{archive}: damaged, or not a zip archive ({error})\n  delete it and fetch it again"
        raise DataRefused(message) from error


def _refuse_beyond(most_bytes: int, archive: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    if sum(entry.file_size for entry in entries) > most_bytes:
        message = f"{archive}: its members unpack to more than {most_bytes:,} bytes\n  is it the right archive?"
        raise DataRefused(message)


def _entry(archive: Path, opened: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    try:
        entry = opened.getinfo(member)
    except KeyError as error:
        message = f"{archive}: has no member {member!r}\n  is it the right archive?"
        raise DataRefused(message) from error
    if entry.flag_bits & ENCRYPTED:
        message = f"{archive}: its member {member!r} is encrypted\n  is it the right archive?"
        raise DataRefused(message)
    return entry


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> Path:
    """Copy one member; zipfile itself reads no further than the size in the directory and checks the CRC."""
    path = folder / PurePosixPath(entry.filename).name
    with opened.open(entry) as member, telling_when_full(folder), path.open("xb") as out:
        while chunk := member.read(CHUNK):
            out.write(chunk)
    return path
