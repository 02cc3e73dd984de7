"""The one way to write a file or folder: whole, or not at all."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hpsearch import disk, failpoints
from hpsearch.claiming import own_folder
from hpsearch.errors import FolderUnusable
from hpsearch.swapping import swap

UNSYNCED = frozenset({errno.EINVAL, errno.ENOTSUP})  # what some network file systems say to the syncing of a folder


def make(folder: Path) -> Path:
    """Create a folder for the owner alone, or raise FolderUnusable with the path and the user id."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in disk.FULL:
            raise disk.disk_full(folder) from error
        in_the_way = error.errno in {errno.EEXIST, errno.ENOTDIR}
        mend = "move the file in its way" if in_the_way else "make its parent writable for you"
        message = f"{folder}: cannot create this folder ({error.strerror})\n  {mend} or choose another place"
        raise FolderUnusable(message) from error
    if not os.access(folder, os.W_OK):
        message = f"{folder}: this folder cannot be written to by {disk.whoami()}"
        raise FolderUnusable(message)
    return folder


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Have `fill` write a file of this name in a folder beside `path`, make it durable, then move it there, for good.

    What killed processes left of such files of this name is cleared away.
    Raises FolderUnusable when the disk is full, or its folder is gone or not to be written to.
    """
    write_over(path, fill)
    with _in_words(path):
        _make_durable(path.parent)


def write_over(path: Path, fill: Callable[[Path], object]) -> None:
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
        raise disk.unusable(path, error) from error


def _write(path: Path, fill: Callable[[Path], object]) -> None:
    with own_folder(path) as folder:
        temporary = folder / path.name
        temporary.touch(mode=0o600)
        fill(temporary)
        _make_durable(temporary)
        failpoints.reach(f"{path.name}.filled")
        temporary.replace(path)
        failpoints.reach(f"{path.name}.renamed")


def write_folder(
    folder: Path, fill: Callable[[Path], object], look: Callable[[Path], object] = lambda _folder: None
) -> None:
    """Have `fill` write a temporary folder beside `folder`, make it durable, then give it its name.

    What is there under the name is replaced whole, unless `look` raises an error of it, at the very last. A process
    killed at any moment leaves the old folder or the new one; what it left beside them is cleared away by the next.
    Raises FolderUnusable as `write` does.
    """
    make(folder.parent)
    with _in_words(folder):
        _write_folder(folder, fill, look)


def _write_folder(folder: Path, fill: Callable[[Path], object], look: Callable[[Path], object]) -> None:
    with own_folder(folder) as temporary:
        fill(temporary)
        for written in (*temporary.rglob("*"), temporary):
            _make_durable(written)
        failpoints.reach(f"{folder.name}.filled")
        look(folder)
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


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file of these bytes, whole or not at all."""
    write(path, lambda temporary: temporary.write_bytes(content))
