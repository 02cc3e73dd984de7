"""Reads the manifest of an exported folder and believes none of it that the folder's bytes do not bear out.

Nothing is loaded here: whoever loads a model of the folder knows by then that every file is the one that was written.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from hpsearch.errors import ExperimentRefused, NeedsNewer, StateDamaged
from hpsearch.polarity import Polarity

MANIFEST = "manifest.json"
VERSION = 1
LARGEST_MANIFEST = 1_000_000  # bytes
MEND = "export the model again"

Side = Annotated[int, Field(strict=True, ge=1, le=16_384)]  # pixels, as many as data.size can say
Name = Annotated[str, Field(min_length=1, max_length=1000)]


class _Input(BaseModel):
    shape: tuple[Side, Side]
    dtype: Literal["uint8"]
    ink: Polarity


class _Framing(BaseModel):
    kind: Literal["mnist", "emnist"]


class _Format(BaseModel):
    path: Name


class _Task(BaseModel):
    class_names: Annotated[list[Name], Field(min_length=2, max_length=100_000)]
    input: _Input


class _Manifest(_Task):
    framing: _Framing
    files: Annotated[dict[Name, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(max_length=10_000)]
    formats: Annotated[dict[Name, _Format], Field(min_length=1)]


@dataclass(frozen=True)
class Exported:
    """An exported folder, each file of which has the digest that its manifest names.

    `shape` is (height, width) of the raw images that its models take, `framing` the recipe by which they were made
    ("mnist" or "emnist"), `polarity` the ink that they have, `formats` the file or folder of each format by its name.
    """

    folder: Path
    class_names: tuple[str, ...]
    shape: tuple[int, int]
    framing: str
    polarity: Polarity
    formats: Mapping[str, Path]
    manifest: Mapping[str, Any]


def read_export(folder: Path) -> Exported:
    """Read the manifest and check the SHA-256 of every file that it names.

    Raises StateDamaged, which names the file, when one is missing, another, a link or outside the folder, when the
    folder of a format holds a file that is not named, or when the manifest is none; NeedsNewer when it is a newer one.
    """
    folder = folder.absolute()
    manifest = read_manifest(folder)
    try:
        said = _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise _damaged(folder / MANIFEST, _first_wrong(error)) from error
    formats = {name: _inside(folder, one.path) for name, one in said.formats.items()}
    for path, sha256 in said.files.items():
        if digest(_inside(folder, path)) != sha256:
            raise _damaged(folder / path, "this is not the file that was written: its SHA-256 is another")
    for part in formats.values():
        _refuse_unnamed(folder, part, said.files)
    inputs, names = said.input, tuple(said.class_names)
    return Exported(folder, names, inputs.shape, said.framing.kind, inputs.ink, formats, manifest)


def refuse_unreadable(class_names: Sequence[str], shape: Sequence[int]) -> None:
    """Raise ExperimentRefused where the export of a model of such a task could not be read again."""
    inputs = {"shape": list(shape), "dtype": "uint8", "ink": Polarity.BRIGHT_ON_DARK}
    try:
        _Task.model_validate({"class_names": list(class_names), "input": inputs})
    except ValidationError as error:
        message = f"an export cannot hold models of these data ({_first_wrong(error)})"
        raise ExperimentRefused(message) from error


def _first_wrong(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest as plain data, of a version that is known and otherwise unchecked; raise StateDamaged."""
    file = folder / MANIFEST
    if file.is_symlink() or not file.is_file():
        raise _damaged(file, "there is no manifest here", "name a folder that hpsearch export wrote")
    if file.stat().st_size > LARGEST_MANIFEST:
        raise _damaged(file, f"the manifest is larger than {LARGEST_MANIFEST:,} bytes")
    try:
        said = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"the manifest is no JSON ({type(error).__name__})") from error
    version = said.get("version") if isinstance(said, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _damaged(file, "this is not the manifest of an export: it has no version")
    if version > VERSION:
        message = (
            f"{file}: this export is of version {version}, and this hpsearch knows {VERSION}\n  use a newer hpsearch"
        )
        raise NeedsNewer(message)
    found: dict[str, Any] = said
    return found


def files_in(folder: Path) -> Iterator[Path]:
    """Every file under a folder, in order, links and whatever else is no folder among them."""
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())


def digest(file: Path) -> str:
    """The SHA-256 of a file; raise StateDamaged when there is none, or something else in its place."""
    if file.is_symlink() or not file.is_file():
        raise _damaged(file, "this file of the export is missing")
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _inside(folder: Path, name: str) -> Path:
    """The path of this name in the folder; raise StateDamaged when it leads out of it, or by a link."""
    parts = PurePosixPath(name).parts
    whole = folder.joinpath(*parts)
    if not parts or any(sign in name for sign in "\\:\0") or ".." in parts or name.startswith("/"):
        raise _damaged(folder / MANIFEST, f"it names {name!r}, which is no path inside the folder")
    if any(path.is_symlink() for path in (whole, *whole.parents) if path.is_relative_to(folder) and path != folder):
        raise _damaged(whole, "this is a link, and an export has none")
    return whole


def _refuse_unnamed(folder: Path, part: Path, named: Mapping[str, str]) -> None:
    for file in [part] if part.is_file() else files_in(part):
        if file.relative_to(folder).as_posix() not in named:
            raise _damaged(file, "this file is not of the export: its manifest does not name it")
    if not part.exists():
        raise _damaged(part, "this part of the export is missing")


def _damaged(place: Path, what: str, mend: str = MEND) -> StateDamaged:
    return StateDamaged(f"{place}: {what}\n  {mend}")
