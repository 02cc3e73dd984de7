"""Keeps prepared data sets on disk, each written once, whole or not at all, to be memory-mapped by every worker."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import disk, files, paths
from hpsearch.datasets.content import Content, Part
from hpsearch.datasets.prepared import (
    FILES,
    MANIFEST,
    PARTS,
    VERSION,
    digest_of,
    find_kept,
    is_sound,
    load,
    named,
    read_manifest,
    whole,
)
from hpsearch.datasets.soundness import refuse_unsound
from hpsearch.datasets.turns import alone
from hpsearch.errors import FolderUnusable
from hpsearch.protocols import Prepared

if TYPE_CHECKING:
    import numpy as np

NEW = "new"


def keep_once(
    name: str, identity: object, collect: Callable[[], Content], *, allow_empty_class: bool = False
) -> Prepared:
    """Give back what is kept under this name and identity (JSON); `collect` and store it if it is not there whole.

    Raises DataRefused for what cannot be learnt from, also where an earlier version kept it.
    """
    mark = sha256(json.dumps([VERSION, name, identity], sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.cache() / "prepared" / f"{name}-{mark}"
    if (kept := whole(folder)) and is_sound(kept):  # also where the cache may only be read
        refuse_unsound(_content(kept), allow_empty_class=allow_empty_class)
        return kept
    with alone(make_in_cache(folder.parent) / f".{folder.name}.lock", name):
        if not ((kept := whole(folder)) and is_sound(kept)):
            content = collect()
            refuse_unsound(content, allow_empty_class=allow_empty_class)
            _store(folder, content)
        return read_manifest(folder)


def make_in_cache(folder: Path) -> Path:
    """Create a folder where data sets are kept; raise FolderUnusable, which says how to keep them elsewhere."""
    try:
        return files.make(folder)
    except FolderUnusable as error:
        message = f"{error}\n  HPSEARCH_DATA names another folder to keep data sets in"
        raise FolderUnusable(message) from error


@contextmanager
def telling_when_full(folder: Path) -> Iterator[None]:
    """Within: a disk that gets full is FolderUnusable, which says how to keep data sets elsewhere."""
    try:
        yield
    except OSError as error:
        if error.errno in disk.FULL:
            raise unwritable(folder, error) from error
        raise


def unwritable(folder: Path, error: OSError) -> FolderUnusable:
    """Say why nothing can be written into a folder of data sets, and what to do."""
    return FolderUnusable(
        f"{folder}: cannot be written ({error.strerror})\n  make room, or set HPSEARCH_DATA to another folder"
    )


def _content(kept: Prepared) -> Content:
    train, test = (Part(*load(kept.folder, part), f"{kept.name} ({part})") for part in PARTS)
    return Content(kept.name, kept.class_names, train, test, kept.test_from, kept.licence)


def _store(folder: Path, content: Content) -> None:
    try:
        for left in folder.parent.glob(f".{folder.name}.tmp-*"):  # of a process that was killed; we hold the lock
            shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.tmp-", dir=folder.parent))
        try:
            _fill(temporary, content)
            if folder.exists():
                folder.rename(temporary / "replaced")
            (temporary / NEW).rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def _fill(temporary: Path, content: Content) -> None:
    new = temporary / NEW
    arrays = named("train", content.train.images, content.train.labels)
    arrays |= named("test", content.test.images, content.test.labels)
    prepared = _described(new, content, digest_of(arrays, content.class_names))
    twin = find_kept(prepared.digest, content.name)
    for file, array in arrays.items():
        (new / file).parent.mkdir(parents=True, exist_ok=True)
        if not (twin and _linked(twin.folder / file, new / file)):
            _save(new / file, array)
    sizes = {file: (new / file).stat().st_size for file in FILES}
    said = {"version": VERSION, "bytes": sizes, **asdict(replace(prepared, folder=Path()))}
    del said["folder"]
    files.write_text(new / MANIFEST, json.dumps(said, indent=1, ensure_ascii=False))


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


def _linked(kept: Path, new: Path) -> bool:
    """Give a file that is kept a second name, so that files that were only moved take no more room; False if it cannot.

    It cannot on some file systems, nor where the file is another person's.
    """
    try:
        new.hardlink_to(kept)
    except OSError:
        return False
    return True


def _save(path: Path, array: "np.ndarray[Any, Any]") -> None:
    """Write an .npy file; by Python's own write, since numpy's does not notice that the disk is full (2.x, tofile)."""
    import numpy as np

    straight = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(straight))
        file.write(straight.data)
        file.flush()
        os.fsync(file.fileno())
