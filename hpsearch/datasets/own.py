"""What all sources of one's own files have in common: how they are told apart, divided, named and judged."""

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hpsearch.datasets.content import Content, Part
from hpsearch.datasets.held_out import DEFAULT_SHARE, RULE, as_share, divide, wanted
from hpsearch.errors import DataRefused
from hpsearch.protocols import Outline

if TYPE_CHECKING:
    from hpsearch.datasets.content import Labels

HIGHEST_LABEL = 9_999


def as_test(given: str | float | None) -> str | float | None:
    """Take the name of test files, or a share between 0 and 1 as a number, or neither; raise ValueError."""
    return given if given is None or isinstance(given, str) else as_share(given)


def share_of(test: str | float | None) -> float:
    """The share of the rows to hold out where there are no test files."""
    return test if isinstance(test, float) else DEFAULT_SHARE


def told_apart_by(share: float | None, *, allow_empty_class: bool, invert: bool) -> dict[str, float | None]:
    """What of a set's identity all sources have; `share` is None where there are test files."""
    rule = {} if share is None else {"rule": RULE}
    turned = {"invert": True} if invert else {}  # the mark of earlier sets stays what it was
    return {"share": share, **rule, "allow_empty_class": allow_empty_class, **turned}


def not_read(where: Path, beside: Sequence[str], taken: str, *, tested: bool, mend: str) -> str:
    """The warning of what lies beside the training images unread; "" where nothing does.

    `taken` says from where rows are taken in its place, and `mend` how it would be tested on, if nothing else is.
    """
    if not beside:
        return ""
    purposes, use = ("to validate on", "") if tested else ("to validate and to test on", f"; {mend}")
    what = f"warning: {where}: not read: {', '.join(beside[:5])}{', …' if beside[5:] else ''}"
    return f"{what}\n  images {purposes} are taken from {taken}{use}"


def as_size(given: Sequence[int] | None) -> tuple[int, int] | None:
    """Take a height and a width in pixels, or none; raise ValueError."""
    if given is None:
        return None
    if len(given) != 2 or not all(type(side) is int and 0 < side <= 1 << 14 for side in given):  # noqa: PLR2004
        message = f"size is a height and a width in pixels, such as [28, 28], not {list(given)!r}"
        raise ValueError(message)
    height, width = given
    return height, width


def as_square(pixels: int, size: tuple[int, int] | None, source: str) -> tuple[int, int]:
    """The height and width of an image that is so many pixels in a row; a square unless `size` says otherwise.

    Raises DataRefused when they do not come out.
    """
    height, width = size or (math.isqrt(pixels), math.isqrt(pixels))
    if pixels and height * width == pixels:
        return height, width
    what = f"are no image of {height} × {width}" if size else "are no square image"
    message = f"{source}: {pixels:,} pixels a row {what}\n  say data.size = [height, width]"
    raise DataRefused(message)


def marks(path: Path) -> list[str | int]:
    """What changes when a file does; the time of the last change of its inode betrays a set-back clock.

    Raises DataRefused when it has gone since it was found.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        message = f"{path}: changed while it was read\n  try again when nothing writes to it"
        raise DataRefused(message) from error
    return [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def marks_of_many(files: Iterable[Path]) -> str:
    """What changes when one of many files does, or when one comes or goes; raise DataRefused when one has just gone."""
    digest = sha256()
    for file in files:
        digest.update(f"{marks(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def outlined(labels: "Labels", class_names: Mapping[int, str], share: float | None, shape: Sequence[int]) -> Outline:
    """The outline of labelled rows (int64) of which `share` will be held out, None where there are test files."""
    import numpy as np

    counts = zip(*(found.tolist() for found in np.unique(labels, return_counts=True)), strict=True)
    rows = [(class_names[label], many - (wanted(many, share) if share else 0)) for label, many in counts]
    smallest = min(rows, key=lambda row: row[1], default=None)
    return Outline(sum(many for _, many in rows), len(class_names), tuple(shape), smallest)


def assemble(name: str, class_names: Sequence[str], train: Part, test: Part | float) -> Content:
    """A data set of a training part and a test part, or of one part and the share to hold out of it.

    Raises DataRefused when it cannot be divided.
    """
    test_from: Literal["official", "content-hash"] = "official" if isinstance(test, Part) else "content-hash"
    sides = (train, test) if isinstance(test, Part) else divide(train, test)
    return Content(name, tuple(class_names), *sides, test_from, "")
