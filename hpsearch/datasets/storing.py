"""Keeps prepared data sets on disk, each written once, whole or not at all, to be memory-mapped by every worker."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpsearch import paths
from hpsearch.datasets.content import Content
from hpsearch.errors import DataRefused, FolderUnusable
from hpsearch.protocols import Prepared

if TYPE_CHECKING:
    import numpy as np

    from hpsearch.datasets.content import Images, Labels

VERSION = 1
MANIFEST = "manifest.json"
PARTS: tuple[Literal["train", "test"], ...] = ("train", "test")
FILES = tuple(f"{part}/{kind}.npy" for part in PARTS for kind in ("images", "labels"))


def keep_once(name: str, identity: object, collect: Callable[[], Content]) -> Prepared:
    """Give back what is kept under this name and identity (JSON); `collect` and store it if it is not there whole."""
    from filelock import FileLock

    shelf = paths.make(paths.cache() / "prepared")
    mark = sha256(json.dumps([VERSION, name, identity], sort_keys=True).encode()).hexdigest()[:16]
    folder = shelf / f"{name}-{mark}"
    with FileLock(shelf / f".{folder.name}.lock"):
        if (kept := _whole(folder)) is None:
            _store(folder, collect())
            kept = read_manifest(folder)
    return kept


def read_manifest(folder: Path) -> Prepared:
    """Read what a prepared folder says of itself; raise DataRefused if it is none or its files are not all there."""
    if (prepared := _whole(folder)) is None:
        message = f"{folder}: not a whole prepared data set\n  prepare it again: hpsearch data get NAME"
        raise DataRefused(message)
    return prepared


def load(prepared_folder: Path, part: Literal["train", "test"]) -> "tuple[Images, Labels]":
    """Map one part into memory, read-only: uint8 images (rows × height × width) and int64 labels (rows)."""
    import numpy as np

    def mapped(kind: str) -> Any:
        return np.load(prepared_folder / part / f"{kind}.npy", mmap_mode="r", allow_pickle=False)

    return mapped("images"), mapped("labels")


def all_prepared(name: str | None = None) -> list[Prepared]:
    """Every whole prepared data set in the cache, or those of one name."""
    folders = sorted((paths.cache() / "prepared").glob(f"[!.]*/{MANIFEST}"))
    kept = (_whole(manifest.parent) for manifest in folders)
    return [prepared for prepared in kept if prepared and name in (None, prepared.name)]


def verify(prepared: Prepared) -> None:
    """Read every byte again; raise DataRefused if the digest is not the one that was written."""
    try:
        arrays = {file: array for part in PARTS for file, array in _named(part, *load(prepared.folder, part)).items()}
        sound = _digest(arrays, prepared.class_names) == prepared.digest
    except (OSError, ValueError):
        sound = False
    if not sound:
        message = (
            f"{prepared.folder}: its arrays are not what was written there"
            f"\n  delete the folder, then: hpsearch data get {prepared.name}"
        )
        raise DataRefused(message)


def _whole(folder: Path) -> Prepared | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sizes = {file: (folder / file).stat().st_size for file in FILES}
        if manifest["version"] != VERSION or manifest["bytes"] != sizes:
            return None
        said = {field.name: manifest[field.name] for field in fields(Prepared) if field.name != "folder"}
        said |= {"class_names": tuple(said["class_names"]), "shape": tuple(said["shape"])}
        return Prepared(folder=folder, **said)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store(folder: Path, content: Content) -> None:
    try:
        for left in folder.parent.glob(f".{folder.name}.tmp-*"):  # of a process that was killed; we hold the lock
            shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.tmp-", dir=folder.parent))
        try:
            _fill(temporary, content)
            if folder.exists():
                folder.rename(temporary / "replaced")
            (temporary / "whole").rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        message = f"{folder}: cannot be written ({error.strerror})\n  make room, or set HPSEARCH_DATA to another folder"
        raise FolderUnusable(message) from error


def _fill(temporary: Path, content: Content) -> None:
    whole = temporary / "whole"
    arrays = _named("train", content.train.images, content.train.labels)
    arrays |= _named("test", content.test.images, content.test.labels)
    for file, array in arrays.items():
        (whole / file).parent.mkdir(parents=True, exist_ok=True)
        _save(whole / file, array)
    prepared = _described(whole, content, _digest(arrays, content.class_names))
    sizes = {file: (whole / file).stat().st_size for file in FILES}
    said = {"version": VERSION, "bytes": sizes, **asdict(replace(prepared, folder=Path()))}
    del said["folder"]
    paths.write_text(whole / MANIFEST, json.dumps(said, indent=1, ensure_ascii=False))


def _described(folder: Path, content: Content, digest: str) -> Prepared:
    return Prepared(
        folder=folder,
        name=content.name,
        digest=digest,
        class_names=content.class_names,
        shape=tuple(content.train.images.shape[1:]),
        train_rows=len(content.train.images),
        test_rows=len(content.test.images),
        test_from=content.test_from,
        licence=content.licence,
    )


def _named(part: str, images: "Images", labels: "Labels") -> "dict[str, np.ndarray[Any, Any]]":
    return {f"{part}/images.npy": images, f"{part}/labels.npy": labels}


def _save(path: Path, array: "np.ndarray[Any, Any]") -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _digest(arrays: "dict[str, np.ndarray[Any, Any]]", class_names: tuple[str, ...]) -> str:
    """SHA-256 over each array's name, type, shape and values, and over the class names; not over how they lie."""
    digest = sha256(json.dumps(class_names, ensure_ascii=False).encode())
    for file, array in sorted(arrays.items()):
        digest.update(f"{file} {array.dtype.str} {array.shape}".encode())
        for start in range(0, len(array), 4096):
            digest.update(array[start : start + 4096].tobytes())
    return digest.hexdigest()
