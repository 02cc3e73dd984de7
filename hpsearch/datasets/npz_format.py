"""Reads arrays out of NumPy's .npz archives, block by block, and believes a header only when the bytes bear it out.

The format is NumPy's own (numpy.lib.format, version 1.0; the later ones are for records): a zip archive of `.npy`
members, each a header (type, order, shape), then the values. Arrays of Python objects are pickles: they can run code,
and are never read.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hpsearch.datasets.npz_archive import AGAIN, opened_member, refuse
from hpsearch.datasets.scratch import BLOCK, Scratch

if TYPE_CHECKING:
    import numpy as np

PLAIN = (1, 0)
KINDS = {"b", "u", "i", "f"}


@dataclass(frozen=True)
class Member:
    """One array of an archive, as its header has it; `columns_first` is Fortran's order."""

    archive: Path
    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    columns_first: bool

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.archive}: {self.name}"

    @property
    def bytes(self) -> int:
        """How many bytes its values take."""
        return math.prod(self.shape) * self.dtype.itemsize


def member(archive: Path, name: str) -> Member:
    """Read the header of an array; raise DataRefused unless it has plain numbers, just as many as it says."""
    import numpy as np

    with opened_member(archive, name) as (entry, file):
        if np.lib.format.read_magic(file) != PLAIN:
            refuse(archive, name, "is written in a format for records, not for images")
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
        found = Member(archive, name, tuple(map(int, shape)), dtype, bool(columns_first) and len(shape) > 1)
        begin = file.tell()
    if dtype.hasobject:
        refuse(archive, name, "holds Python objects, that is a pickle, which can run code and is never read")
    if dtype.kind not in KINDS:
        mend = "save class numbers: numpy.unique(names, return_inverse=True)[1]" if dtype.kind in "US" else AGAIN
        refuse(archive, name, f"holds {dtype}, not numbers", mend)
    if min(found.shape, default=1) < 0 or entry.file_size - begin != found.bytes:
        axes = " × ".join(f"{length:,}" for length in found.shape) or "one value"
        what = f"its header says {axes} of {dtype}, {found.bytes:,} bytes, the file holds {entry.file_size - begin:,}"
        refuse(archive, name, what)
    return found


def blocks(found: Member) -> "Iterator[np.ndarray[Any, Any]]":
    """The values of an array, some rows at a time, in row order; raise DataRefused if it is damaged."""
    import numpy as np

    row = found.bytes // max(1, found.shape[0])
    each = max(1, BLOCK // max(1, row))
    if found.columns_first:
        yield from _turned(found, each)
        return
    for piece in _pieces(found, each * row):
        yield np.frombuffer(piece, found.dtype).reshape(-1, *found.shape[1:])


def _pieces(found: Member, size: int) -> Iterator[bytes]:
    """The bytes of the values; the archive's checksum is compared when the last have been read."""
    left = found.bytes
    with opened_member(found.archive, found.name) as (_, file):
        _skip_header(file)
        while left:
            piece = file.read(min(size, left))
            left -= len(piece)
            if len(piece) < size and left:
                refuse(found.archive, found.name, "is cut off")
            if not left:
                file.read(1)
            yield piece


def _turned(found: Member, each: int) -> "Iterator[np.ndarray[Any, Any]]":
    """The rows of an array that is stored column by column, laid out on the disk first, where they lie scattered."""
    with Scratch(str(found.archive)) as scratch:
        for piece in _pieces(found, BLOCK):
            scratch.append(piece)
        whole = scratch.mapped(found.shape, found.dtype, "F")
        for start in range(0, found.shape[0], each):
            yield whole[start : start + each]


def _skip_header(file: IO[bytes]) -> None:
    import numpy as np

    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
