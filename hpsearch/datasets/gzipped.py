"""Opens a file that may be gzipped, by its first bytes and not by its name."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from hpsearch.datasets.places import refuse_unless_file
from hpsearch.errors import DataRefused

GZIP_MARK = b"\x1f\x8b"
AGAIN = "fetch or copy the file again"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Within: the file's own bytes, unpacked as they are read; a GzipFile if it was gzipped.

    Raises DataRefused for a file that is missing, damaged, cut off, or not to be read.
    """
    refuse_unless_file(path, "check the folder and the name")
    try:
        with path.open("rb") as raw:
            if not _is_gzip(raw):
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as file:
                yield cast("BinaryIO", file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: damaged or cut off, it cannot be unpacked ({error})\n  {AGAIN}"
        raise DataRefused(message) from error
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})\n  make the file readable for you"
        raise DataRefused(message) from error


def _is_gzip(file: BinaryIO) -> bool:
    mark = file.read(len(GZIP_MARK))
    file.seek(0)
    return mark == GZIP_MARK
