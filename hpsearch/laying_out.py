"""Lays out a new project: the shipped experiments, the models that they search, and what git is to leave alone."""

from dataclasses import dataclass
from pathlib import Path

import hpsearch
from hpsearch import files
from hpsearch.errors import FolderUnusable

SHIPPED = {"experiments": "[!.]*.toml", "searchspace": "[!.]*.py"}  # as in the wheel, see pyproject.toml
FIRST = "experiments/quickstart.toml"
GITIGNORE, RUNS = ".gitignore", "/mlruns/"
IGNORED = f"{RUNS}\n/.venv/\n__pycache__/\n"


@dataclass(frozen=True)
class LaidOut:
    """The files of a project, by their paths in it: made now, there before and alike, there before and left alone."""

    folder: Path
    made: tuple[str, ...]
    alike: tuple[str, ...]
    left: tuple[str, ...]


def lay_out(folder: Path) -> LaidOut:
    """Write what a project begins with; what is there by such a name stays as it is, whatever it is.

    Each file is written whole or not at all, so a second call makes what a killed one did not come to.
    Raises FolderUnusable.
    """
    wanted = templates()
    files.make(folder)
    there = {name for name in wanted if _taken(folder / name)}
    alike = {name for name in there if _alike(folder / name, wanted[name])}
    missing = [name for name in wanted if name not in there]
    for parent in sorted({(folder / name).parent for name in missing}):  # all of them before the first file
        files.make(parent)
    for name in missing:
        files.write_bytes(folder / name, wanted[name])
    return LaidOut(folder.resolve(), tuple(missing), tuple(sorted(alike)), tuple(sorted(there - alike)))


def templates() -> dict[str, bytes]:
    """What each file of a new project holds, by its path in it; raise FolderUnusable when nothing was installed."""
    source = _source()
    shipped = [file for name, pattern in SHIPPED.items() for file in sorted((source / name).glob(pattern))]
    found = {file.relative_to(source).as_posix(): file.read_bytes() for file in shipped}
    if FIRST not in found:
        message = f"{source / FIRST}: missing from this installation\n  install hpsearch anew"
        raise FolderUnusable(message)
    return {**found, GITIGNORE: IGNORED.encode()}


def _source() -> Path:
    """Where the templates are: within the installed package, or beside it in a clone."""
    package = Path(hpsearch.__file__).parent
    carried = package / "templates"
    return carried if carried.is_dir() else package.parent


def _taken(path: Path) -> bool:
    return path.exists() or path.is_symlink()  # a link that leads nowhere is somebody's, too


def _alike(path: Path, content: bytes) -> bool:
    """Whether a file says what ours would; a .gitignore may say more."""
    try:
        found = path.read_bytes() if path.is_file() else None
    except OSError:  # not ours to read, so not ours
        return False
    if found is not None and path.name == GITIGNORE:
        return any(line.strip().strip(b"/") == RUNS.strip("/").encode() for line in found.splitlines())
    return found == content
