"""Holds rows out for testing by the content of their images alone.

No seed and no order of rows moves an image to the other side, so all studies on a source share one test split,
and an image that occurs twice, even under two labels, is never on both sides.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from hpsearch.datasets.content import Part, negative
from hpsearch.datasets.scratch import chosen
from hpsearch.errors import DataRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.datasets.content import Images, Labels

SALT = b"hpsearch test split 1"
DEFAULT_SHARE = 0.2
RULE = 2  # of what mark_held_out does with images that repeat; 1 was that of 26 November 2026


def as_share(given: object) -> float:
    """Take a share between 0 and 1, or raise ValueError."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1:
        message = f"test is the share of rows to hold out, between 0 and 1, not {given!r}"
        raise ValueError(message)
    return float(given)


def divide(part: Part, share: float) -> tuple[Part, Part]:
    """Divide rows into those that train and those that test; raise DataRefused when either side is left empty."""
    test = mark_held_out(part.images, part.labels, share, inverted=part.inverted)
    if test.all() or not test.any():
        message = (
            f"{part.source}: {len(test):,} rows cannot be divided, no class has two different images"
            "\n  add rows, or name test files with data.test"
        )
        raise DataRefused(message)
    return (
        Part(chosen(part.images, ~test, part.source), part.labels[~test], f"{part.source} (train)"),
        Part(chosen(part.images, test, part.source), part.labels[test], f"{part.source} (held out)"),
    )


def mark_held_out(images: "Images", labels: "Labels", share: float, *, inverted: bool = False) -> "NDArray[np.bool_]":
    """Mark the rows to test on: in each class the images of lowest SHA-256, until `share` of its rows is reached.

    images: uint8, rows × height × width; labels: int64, rows; returns bool, rows. Of `inverted` images the negatives
    count, so that the same rows are held out as without.
    A class of two or more different images has some on either side. One that occurs so often that it would take the
    class further beyond its share than the class is before it is passed over; where that is so from the beginning, the
    share is one of the rows beside it, or all that is not this image could be held out.
    """
    import numpy as np

    digests = [sha256(SALT + negative(image, inverted).tobytes()).digest() for image in images]
    rows: dict[int, Counter[bytes]] = defaultdict(Counter)
    for digest, label in zip(digests, labels.tolist(), strict=True):
        rows[label][digest] += 1
    homes = _homes(rows)
    taken = {digest for label in homes for digest in _lowest(sorted(homes[label]), rows[label], share)}
    return np.fromiter((digest in taken for digest in digests), np.bool_, len(digests))


def wanted(rows: int, share: float) -> int:
    """How many of the rows of one class to test on, unless repeated images stand in the way."""
    return min(max(round(rows * share), 1), rows - 1) if rows else 0


def _homes(rows: Mapping[int, Counter[bytes]]) -> dict[int, set[bytes]]:
    """The different images of each class; one that has several labels counts where it is most, of these the lowest."""
    most: dict[bytes, tuple[int, int]] = {}
    for label, own in rows.items():
        for digest, many in own.items():
            most[digest] = min((-many, label), most.get(digest, (0, 0)))
    homes: dict[int, set[bytes]] = defaultdict(set)
    for digest, (_, label) in most.items():
        homes[label].add(digest)
    return homes


def _lowest(members: list[bytes], rows: Counter[bytes], share: float) -> list[bytes]:
    goal = wanted(rows.total(), share)
    beside = rows.total() - sum(many for many in rows.values() if many > 2 * goal)
    taken, wanting = [], wanted(beside, share) if beside > 1 else goal
    for digest in members:
        if rows[digest] <= 2 * wanting:
            taken.append(digest)
            wanting -= rows[digest]
    return (taken or [min(members, key=rows.__getitem__)])[: len(members) - 1]
