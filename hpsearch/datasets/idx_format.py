"""Reads IDX files of unsigned bytes, plain or gzipped, and believes a header only when the bytes bear it out.

The format is that of MNIST (LeCun, Cortes, Burges): two zero bytes, the type (8 = unsigned byte), the number
of axes, each axis as a big-endian 32-bit number, then the values, last axis fastest.
"""

import gzip
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hpsearch.datasets.gzipped import AGAIN, opened
from hpsearch.datasets.memory import refuse_beyond_memory
from hpsearch.errors import DataRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

UNSIGNED_BYTE = 8
DENSEST = 1032  # deflate unpacks no byte to more than this many (zlib's technical notes)
CHUNK = 1 << 20


def read_shape(path: Path, axes: int) -> tuple[int, ...]:
    """Read the header alone: the length of each of so many axes; raise DataRefused if the file cannot hold that."""
    with opened(path) as file:
        shape = _shape(path, file.read(4 + 4 * axes), axes)
    _refuse_impossible(path, shape)
    return shape


def read(path: Path, axes: int) -> "NDArray[np.uint8]":
    """Read a whole file as a uint8 array of so many axes; raise DataRefused before memory is taken for a lie."""
    import numpy as np

    array = np.empty(_borne_out(path, axes), np.uint8)
    with opened(path) as file:
        file.read(4 + 4 * axes)
        _fill(path, file, array.reshape(-1).data)
    return array


def blocks(path: Path, axes: int) -> "Iterator[NDArray[np.uint8]]":
    """What `read` reads, some rows at a time."""
    import numpy as np

    rows, *shape = _borne_out(path, axes)
    each = max(1, CHUNK // max(1, math.prod(shape)))
    with opened(path) as file:
        file.read(4 + 4 * axes)
        for start in range(0, rows, each):
            block = np.empty((min(each, rows - start), *shape), np.uint8)
            _fill(path, file, block.reshape(-1).data)
            yield block


def _borne_out(path: Path, axes: int) -> tuple[int, ...]:
    """The length of each axis, when memory can hold the values and the file has them all."""
    shape = read_shape(path, axes)
    declared = math.prod(shape)
    refuse_beyond_memory(str(path), declared)
    if (real := _real_size(path, axes, declared)) != declared:
        _refuse_size(path, shape, f"{real:,}" if real < declared else "more")
    return shape


def _shape(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    expected = bytes((0, 0, UNSIGNED_BYTE, axes))
    if header[:4] != expected:
        found = header[:4].hex(" ") or "nothing"
        message = (
            f"{path}: not an idx file of {axes} axes of unsigned bytes"
            f" (it begins with {found}, not {expected.hex(' ')})\n  is it the right file? images are idx3, labels idx1"
        )
        raise DataRefused(message)
    if len(header) < 4 + 4 * axes:
        message = f"{path}: cut off inside its header\n  {AGAIN}"
        raise DataRefused(message)
    return struct.unpack(f">{axes}I", header[4:])


def _refuse_impossible(path: Path, shape: tuple[int, ...]) -> None:
    declared, size = math.prod(shape), path.stat().st_size
    with opened(path) as file:
        zipped = isinstance(file, gzip.GzipFile)
    if zipped and declared > DENSEST * size:
        _refuse_size(path, shape, f"at most {DENSEST * size:,}")
    if not zipped and (real := size - 4 - 4 * len(shape)) != declared:
        _refuse_size(path, shape, f"{real:,}")


def _real_size(path: Path, axes: int, declared: int) -> int:
    """Count the values really there, without keeping them, and no further than one beyond `declared`."""
    with opened(path) as file:
        file.read(4 + 4 * axes)
        real = 0
        while real <= declared and (chunk := file.read(min(CHUNK, declared + 1 - real))):
            real += len(chunk)
    return real


def _refuse_size(path: Path, shape: tuple[int, ...], real: str) -> None:
    axes = " × ".join(f"{length:,}" for length in shape)
    message = f"{path}: its header says {axes} = {math.prod(shape):,} bytes, the file holds {real}\n  {AGAIN}"
    raise DataRefused(message)


def _fill(path: Path, file: BinaryIO, room: memoryview) -> None:
    while len(room):
        chunk = file.read(min(CHUNK, len(room)))
        if not chunk:
            message = f"{path}: changed while it was read\n  try again when nothing writes to it"
            raise DataRefused(message)
        room[: len(chunk)] = chunk
        room = room[len(chunk) :]
