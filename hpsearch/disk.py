"""What a disk has room for, and what is said to a person when nothing can be written to it."""

import errno
import os
import shutil
from pathlib import Path

from hpsearch.errors import FolderUnusable

MB = 1_000_000
LEAST_FREE, LEAST_SHARE = 500 * MB, 0.05  # of a disk; with less a person is warned,
PLENTY = 20_000 * MB  # but not with so much, however large the disk is
AMPLE = 100 * MB  # free on a disk that is called full: there is another reason
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
FAILING = frozenset({errno.EIO, errno.ENODEV, errno.ENOTCONN, errno.ENXIO, errno.EPERM, errno.ESTALE})  # disks, shares
NO_THREAD = "can't start new thread"  # as Python words EAGAIN then
MENDS = {
    frozenset({errno.EMFILE, errno.ENFILE}): "raise the number of files that may be open: ulimit -n",
    frozenset({errno.EAGAIN, errno.ENOMEM}): "end other programs, or raise the limits of this one: ulimit -a",
    frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH}): "see to the network",
    frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}): (  # NFS without its lock service, some of SMB and FUSE
        "keep the project, and what HPSEARCH_DATA names, on a file system that knows locks"
    ),
}


def whoami() -> str:
    """The user that this process runs as, for people: by number where users have one (Windows has none)."""
    return f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"


def unusable(path: Path, error: OSError) -> FolderUnusable:
    """Why a file cannot be written, in words for a person."""
    if of_full_disk(error):
        return disk_full(path)
    why = {errno.ENOENT: "there is no such folder", errno.EROFS: f"not by {whoami()}: {error.strerror}"}
    return FolderUnusable(f"{path}: cannot be written ({why.get(error.errno or 0, error.strerror or error)})")


def in_a_sentence(error: Exception) -> str:
    """What the machine refuses, in words for a person; "" where the program may be to blame."""
    if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
        error = OSError(errno.EAGAIN, NO_THREAD)
    if not isinstance(error, OSError):
        return ""
    if error.errno == errno.ENOENT and is_nowhere():
        return 'the folder that you are in was deleted\n  go to one that is there; where it was made again: cd "$PWD"'
    if of_the_machine(error) or error.errno in FAILING:
        return f"{error.filename or 'a file, or the output'}: cannot be written or read ({error.strerror})"
    mend = next((mend for numbers, mend in MENDS.items() if error.errno in numbers), "")
    return f"the system refused what was asked of it: {error.strerror}\n  {mend}" if mend else ""


def is_nowhere() -> bool:
    """Whether the folder of the shell is gone, as it is in a terminal whose clone was removed and made again."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def of_the_machine(error: OSError) -> bool:
    """Whether a full disk or missing rights are to blame, which the program cannot help and a person can."""
    return error.errno in FULL | {errno.EROFS, errno.EACCES}


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
    free = room(path)
    other = " (a quota may be used up, or another disk be full)" if free > AMPLE else ""
    return FolderUnusable(f"disk full: {path}, {free // MB} MB free{other}\n  make room; the same command goes on then")


def scarcity(folder: Path) -> str:
    """A warning where little room is left on a folder's disk, "" where there is enough."""
    usage = shutil.disk_usage(folder)
    if usage.free >= max(LEAST_FREE, min(LEAST_SHARE * usage.total, PLENTY)):
        return ""
    return (
        f"warning: {folder}: only {usage.free // MB} MB are free on this disk\n"
        "  when it is full the search stops; the same command goes on when there is room"
    )


def room(path: Path) -> int:
    """The bytes that are free where a file is, or is to be."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free
