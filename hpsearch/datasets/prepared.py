"""Reads prepared data sets: what they say of themselves, their arrays, and whether these are still the same."""

import json
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hpsearch import paths, plugins
from hpsearch.datasets.content import negative
from hpsearch.errors import DataRefused, HpsearchError, first_line
from hpsearch.polarity import WHITE
from hpsearch.protocols import Dataset, Prepared, Progress

if TYPE_CHECKING:
    import numpy as np

    from hpsearch.datasets.content import Images, Labels

VERSION = 1
BLOCK = 1 << 22  # bytes that are read at a time
MANIFEST = "manifest.json"
PARTS: tuple[Literal["train", "test"], ...] = ("train", "test")
FILES = tuple(f"{part}/{kind}.npy" for part in PARTS for kind in ("images", "labels"))


class SplitDigests(NamedTuple):
    """Three SHA-256 of a test split, by which studies know that theirs are the same.

    `split` is of its arrays as they lie: studies on other training rows may share it. `images` is of its labelled
    images in whatever order, an image and its negative counting as one: a folder of pictures and an archive of the same
    share it. `negative` is what `split` is with all images' negatives, as `data.invert` makes them.
    """

    split: str
    images: str
    negative: str


def prepare(name: str, source: Dataset, progress: Progress) -> Prepared:
    """Have the data set of that name prepared; raise what it raises, HpsearchError where it goes wrong."""
    with plugins.blaming("datasets", name, "it prepared its images"):
        prepared = source.prepare(progress)
    if not isinstance(prepared, Prepared):
        message = f"the dataset {name!r} prepared {first_line(repr(prepared))}, which is no Prepared"
        raise HpsearchError(message)
    return prepared


def read_manifest(folder: Path) -> Prepared:
    """Read what a prepared folder says of itself; raise DataRefused if it is none or its files are not all there."""
    if (prepared := whole(folder)) is None:
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
    kept = (whole(manifest.parent) for manifest in folders)
    return [prepared for prepared in kept if prepared and name in (None, prepared.name)]


def find_kept(digest: str, name: str) -> Prepared | None:
    """A data set in the cache that has this digest and is sound, one of this name before others; None if none has."""
    found = sorted((one for one in all_prepared() if one.digest == digest), key=lambda one: one.name != name)
    return next(filter(is_sound, found), None)


def verify(prepared: Prepared) -> None:
    """Read every byte again; raise DataRefused if the digest is not the one that was written."""
    if not is_sound(prepared):
        message = (
            f"{prepared.folder}: its arrays are not what was written there"
            f"\n  delete the folder, then: hpsearch data get {prepared.name}"
        )
        raise DataRefused(message)


def is_sound(prepared: Prepared) -> bool:
    """Whether every byte of the arrays is as it was written; all of them are read."""
    try:
        arrays = {file: array for part in PARTS for file, array in named(part, *load(prepared.folder, part)).items()}
        return digest_of(arrays, prepared.class_names) == prepared.digest
    except Exception:  # noqa: BLE001 - NumPy reads a header as Python text, and a damaged one raises almost anything
        return False


def whole(folder: Path) -> Prepared | None:
    """What is in the folder, if its manifest can be read and every file has the size that was written; else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sizes = {file: (folder / file).stat().st_size for file in FILES}
        if manifest["version"] != VERSION or manifest["bytes"] != sizes:
            return None
        said = {field.name: manifest[field.name] for field in fields(Prepared) if field.name != "folder"}
        said |= {"class_names": tuple(said["class_names"]), "shape": tuple(said["shape"])}
        return Prepared(folder=folder, **said)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def named(part: str, images: "Images", labels: "Labels") -> "dict[str, np.ndarray[Any, Any]]":
    """The arrays of a part by their files' names."""
    return {f"{part}/images.npy": images, f"{part}/labels.npy": labels}


def test_digests(prepared: Prepared) -> SplitDigests:
    """The digests of the test split alone."""
    images, labels = load(prepared.folder, "test")
    arrays, names = named("test", images, labels), prepared.class_names
    split, turned = (digest_of(arrays, names, inverted=wish) for wish in (False, True))
    return SplitDigests(split, _unordered(images, labels, prepared), turned)


def _unordered(images: "Images", labels: "Labels", prepared: Prepared) -> str:
    import numpy as np

    names = [name.encode(errors="surrogatepass") for name in prepared.class_names]
    rows = (
        sha256(negative(image, bool(image[0, 0] > WHITE // 2)).tobytes() + names[label]).digest()
        for image, label in zip(np.asarray(images), labels.tolist(), strict=True)  # a mapped row is slow to cut out
    )
    return sha256(repr(images.shape).encode() + b"".join(sorted(rows))).hexdigest()


def digest_of(
    arrays: "dict[str, np.ndarray[Any, Any]]", class_names: tuple[str, ...], *, inverted: bool = False
) -> str:
    """SHA-256 over each array's name, type, shape and values, and over the class names; not over how they lie.

    If `inverted`, it is that of the same arrays with all images' negatives.
    """
    digest = sha256(json.dumps(class_names, ensure_ascii=False).encode())
    for file, array in sorted(arrays.items()):
        digest.update(f"{file} {array.dtype.str} {array.shape}".encode())
        each = max(1, BLOCK // max(1, array[:1].nbytes))
        for start in range(0, len(array), each):
            digest.update(negative(array[start : start + each], inverted and file.endswith("images.npy")).tobytes())
    return digest.hexdigest()
