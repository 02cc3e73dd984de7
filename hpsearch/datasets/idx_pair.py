"""Reads a file of images with its file of labels as one part of a data set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.datasets import idx_format
from hpsearch.datasets.content import Part, negative
from hpsearch.datasets.scratch import Scratch
from hpsearch.errors import DataRefused

if TYPE_CHECKING:
    from hpsearch.datasets.content import Labels

FIRST = 5


def read_pair(images: Path, labels: Path, *, transposed: bool = False, invert: bool = False) -> Part:
    """Read both, the images by way of the disk; EMNIST's are `transposed`, column after column, and are stood up.

    Raises DataRefused if a file is not what it claims to be.
    """
    refuse_unequal(images, labels)
    rows, *shape = idx_format.read_shape(images, 3)
    with Scratch(str(images)) as scratch:
        for block in idx_format.blocks(images, 3):
            scratch.append(negative(block.transpose(0, 2, 1) if transposed else block, invert))
        pixels = scratch.mapped((rows, *(reversed(shape) if transposed else shape)))
    return Part(pixels, read_labels(labels), str(images), invert)


def refuse_unequal(images: Path, labels: Path) -> None:
    """Raise DataRefused if the headers of the two do not speak of equally many rows, or of none."""
    (rows, *_), (named,) = idx_format.read_shape(images, 3), idx_format.read_shape(labels, 1)
    if rows != named:
        message = (
            f"{images}: {rows:,} images, but {named:,} labels in {labels.name}"
            "\n  the two files do not belong together; look at both names"
        )
        raise DataRefused(message)
    if not rows:
        message = f"{images}: holds no rows\n  name files with rows in them"
        raise DataRefused(message)


def read_labels(labels: Path) -> "Labels":
    """The labels of a file, as int64."""
    return idx_format.read(labels, 1).astype("int64")


def as_positions(part: Part, values: Sequence[int]) -> Part:
    """Turn each label into its place among the ascending `values`; raise DataRefused for one that is not there."""
    import numpy as np

    known = np.asarray(values)
    strange = (~np.isin(part.labels, known)).nonzero()[0]
    if len(strange):
        shown = ", ".join(f"row {row}: {part.labels[row]}" for row in strange[:FIRST])
        message = (
            f"{part.source}: {len(strange):,} labels are none of the {len(values)} classes, {values[0]} … {values[-1]}"
            f" ({shown})\n  mend these labels"
        )
        raise DataRefused(message)
    return replace(part, labels=np.searchsorted(known, part.labels).astype(np.int64))
