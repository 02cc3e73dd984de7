"""Finds which arrays of a NumPy archive are images with their labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hpsearch.datasets import npz_archive, npz_format
from hpsearch.datasets.faults import short
from hpsearch.datasets.npz_format import Member
from hpsearch.errors import DataRefused
from hpsearch.nearest import hint

Names = tuple[str, str]

TRAIN = (("x_train", "y_train"), ("train_images", "train_labels"), ("images", "labels"), ("x", "y"))
TEST = (("x_test", "y_test"), ("test_images", "test_labels"))
MOST = 20  # names of arrays that are told
EXAMPLE = "'x_train, y_train'"


@dataclass(frozen=True)
class Pair:
    """An array of images and the labels to it."""

    images: Member
    labels: Member

    @classmethod
    def of(cls, archive: Path, names: Names) -> Self:
        """Read both headers; raise DataRefused if they do not belong together, or hold no row."""
        images, labels = (npz_format.member(archive, name) for name in names)
        if images.shape[:1] != labels.shape[:1]:
            counts = (f"{found.shape[0] if found.shape else 1:,} in {found.name}" for found in (images, labels))
            message = f"{archive}: {' and '.join(counts)}\n  images and labels must be equally many"
            raise DataRefused(message)
        if not images.shape or not images.shape[0]:
            message = f"{images}: holds no rows\n  name arrays with rows in them"
            raise DataRefused(message)
        return cls(images, labels)


def two_names(key: str, given: str) -> Names:
    """Read "images, labels"; raise ValueError if it is not two names."""
    names = [name.strip() for name in given.split(",")]
    if len(names) != 2 or not all(names):  # noqa: PLR2004
        message = f"{key} names two arrays, images and labels, such as {EXAMPLE}, not {given!r}"
        raise ValueError(message)
    images, labels = names
    return images, labels


def find_train(archive: Path, there: list[str], wanted: Names | None) -> Pair:
    """The arrays that train, by their names or by the usual ones; raise DataRefused without them."""
    if names := _chosen(archive, there, wanted, TRAIN):
        return Pair.of(archive, names)
    known = ", ".join(f"{images} and {labels}" for images, labels in TRAIN)
    message = (
        f"{archive}: none of {known} is in it; it has {', '.join(map(short, there[:MOST]))}"
        "\n  name images and labels with data.train, such as train = 'pictures, digits'"
    )
    raise DataRefused(message)


def find_test(archive: Path, there: list[str], wanted: Names | None, train: str) -> Pair | None:
    """The arrays that test, by their names or by the usual ones; None without them, or where these train."""
    names = _chosen(archive, there, wanted, TEST)
    if names and names[0] == train:
        if wanted:
            message = f"{archive}: {train!r} would both train and test\n  mend data.train or data.test"
            raise DataRefused(message)
        return None
    return Pair.of(archive, names) if names else None


def unused_images(archive: Path, train: Pair, test: Pair | None) -> list[str]:
    """The arrays of as many axes and pixels as the training images that neither train nor test."""
    used = {found.name for pair in (train, test) if pair for found in (pair.images, pair.labels)}
    rows = {name: _row(archive, name) for name in npz_archive.names(archive)[:MOST] if name not in used}
    return [short(name) for name, row in rows.items() if row == train.images.shape[1:]]


def _row(archive: Path, name: str) -> tuple[int, ...] | None:
    """The shape of each row of an array; None where it can be no images."""
    try:
        return npz_format.member(archive, name).shape[1:]
    except DataRefused:
        return None


def _chosen(archive: Path, there: list[str], wanted: Names | None, usual: tuple[Names, ...]) -> Names | None:
    """The names asked for, or the first usual pair that is there, in small or capital letters; None without one."""
    if wanted:
        for name in wanted:
            if name not in there:
                message = f"{archive}: has no array {name!r}\n  {hint(name, list(map(short, there[:MOST])))}"
                raise DataRefused(message)
        return wanted
    small = {name.lower(): name for name in reversed(there)}
    return next(((small[images], small[labels]) for images, labels in usual if {images, labels} <= small.keys()), None)
