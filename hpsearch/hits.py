"""Keeps which validation rows a fit got right in its best epoch: a bit a row, in a file that is whole or not there.

The file: a SHA-256 of what follows, the number of rows (8 bytes, little-endian), the bits, eight rows a byte.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.files import write_bytes

if TYPE_CHECKING:
    import numpy as np

    Hits = np.ndarray[tuple[int], np.dtype[np.bool_]]

DIGEST = 32  # bytes
LENGTH = 8  # bytes


def keep(path: Path, hits: "Hits") -> None:
    """Write one bool a row, in the order of the split's validation rows."""
    import numpy as np

    body = len(hits).to_bytes(LENGTH, "little") + np.packbits(hits).tobytes()
    write_bytes(path, hashlib.sha256(body).digest() + body)


def read(path: Path) -> "Hits | None":
    """The bools that were kept; None if there are none, or if a single bit is not as it was written."""
    import numpy as np

    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, body = content[:DIGEST], content[DIGEST:]
    if len(body) < LENGTH or hashlib.sha256(body).digest() != digest:
        return None
    rows = int.from_bytes(body[:LENGTH], "little")
    return np.unpackbits(np.frombuffer(body, np.uint8, offset=LENGTH), count=rows).astype(bool)
