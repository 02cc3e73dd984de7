"""Gives a process a folder of its own to write in, and clears away what killed ones left half written."""

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PART = ".part"  # ends the name of a folder in which something is being written
TRIES = 10


@contextmanager
def own_folder(place: Path) -> Iterator[Path]:
    """Within: a new folder beside `place` to write in what is to be there; what is left in it goes at the end.

    The folder is claimed, and no file in it: on some network file systems nobody can write to a claimed file, and on
    macOS SQLite cannot. What killed processes left of such folders is cleared away. Raises OSError.
    """
    clear_away(place.parent, f".{glob.escape(place.name)}.*{PART}")
    with ExitStack() as stack:
        yield _made(place, stack)


def _made(place: Path, stack: ExitStack) -> Path:
    """Make the folder, and another where somebody who clears away was there before it was claimed."""
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.", suffix=PART))
        with ExitStack() as claim, suppress(FileNotFoundError):
            ours = claim.enter_context(claimed(folder))
            if ours is not False and folder.exists():
                claim.callback(shutil.rmtree, folder, ignore_errors=True)
                stack.push(claim.pop_all())
                return folder
    raise OSError(errno.EBUSY, "another process takes away what is being written", str(place))


@contextmanager
def claimed(folder: Path) -> Iterator[bool | None]:
    """Within: a folder is marked as this process's, while the process lives; False if it is another's.

    None where nobody can tell whose it is, as on Windows and some network file systems: nothing is cleared away there.
    """
    try:
        import fcntl
    except ImportError:
        yield None
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours: bool | None = True
        except BlockingIOError:
            ours = False
        except OSError:
            ours = None
        yield ours
    finally:
        os.close(opened)


def clear_away(folder: Path, pattern: str) -> None:
    """Remove the folders of this pattern that no living process claims."""
    for left in folder.glob(pattern):
        if left.is_symlink() or not left.is_dir():
            continue
        with suppress(OSError), claimed(left) as abandoned:
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)
