"""Refuses a place that an export could not take, or not without the loss of something else."""

import os
from pathlib import Path

from hpsearch.errors import ExperimentRefused, StateDamaged
from hpsearch.exported import MANIFEST, files_in, read_manifest


def refuse_place(folder: Path) -> None:
    """Raise ExperimentRefused unless the folder is new, empty, or an earlier export and nothing beside it.

    As it is replaced whole, it can be neither the root of a disk, nor where the command was called from or above that.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        message = f"{folder}: there is something here that is no folder\n  choose another --out"
        raise ExperimentRefused(message)
    _refuse_fixed(folder)
    there = {file.relative_to(folder).as_posix() for file in files_in(folder)} if folder.exists() else set()
    if not there:
        return
    try:
        files = read_manifest(folder).get("files")
    except StateDamaged as error:
        message = f"{folder}: this folder is not empty, and not an earlier export\n  choose another --out"
        raise ExperimentRefused(message) from error
    if strange := sorted(there - {MANIFEST, *(files if isinstance(files, dict) else ())}):
        message = (
            f"{folder}: beside an earlier export there is {strange[0]!r}, which would be lost\n  move it away first"
        )
        raise ExperimentRefused(message)


def _refuse_fixed(folder: Path) -> None:
    inside = Path.cwd().is_relative_to(folder.resolve())
    if inside or os.path.ismount(folder):
        what = "you are in this folder" if inside else "this is the root of a disk"
        message = f"{folder}: {what}, and an export takes the place of a whole folder\n  name a folder inside it"
        raise ExperimentRefused(message)
