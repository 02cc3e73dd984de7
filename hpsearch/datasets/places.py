"""Refuses what is not there, or is something else, before it is read."""

from pathlib import Path

from hpsearch.errors import DataRefused


def refuse_unless_folder(path: Path, mend: str) -> None:
    """Raise DataRefused, with what to do, unless there is such a folder that may be looked at."""
    if not _is(path, folder=True):
        message = f"{path}: {'is no folder' if path.exists() else 'there is no such folder'}\n  {mend}"
        raise DataRefused(message)


def refuse_unless_file(path: Path, mend: str) -> None:
    """Raise DataRefused, with what to do, unless there is such a file that may be looked at."""
    if not _is(path, folder=False):
        message = f"{path}: {'is a folder, and no file' if path.is_dir() else 'there is no such file'}\n  {mend}"
        raise DataRefused(message)


def _is(path: Path, *, folder: bool) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError as error:  # up to Python 3.13: a folder above is closed, or the name is too long
        message = f"{path}: cannot be looked at ({error.strerror})\n  make it readable for you, or mend its name"
        raise DataRefused(message) from error
