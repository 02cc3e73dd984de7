"""Opens NumPy's .npz archives and the members in them, if they can be what they claim to be."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from hpsearch.datasets.idx_format import DENSEST
from hpsearch.datasets.places import refuse_unless_file
from hpsearch.errors import DataRefused
from hpsearch.zips import open_zip

ENDING = ".npy"
ENCRYPTED = 0x1
METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DENSEST}  # into how much a byte may unpack
AGAIN = "is it the right file? fetch it again, or save plain arrays with numpy.savez_compressed"


def names(archive: Path) -> list[str]:
    """The names of the arrays in an archive, without what macOS adds; raise DataRefused if it is none."""
    with _opened(archive) as opened:
        members = [name for name in opened.namelist() if name.endswith(ENDING)]
    found = [name.removesuffix(ENDING) for name in members if not name.rpartition("/")[2].startswith("._")]
    if not found:
        message = f"{archive}: holds no NumPy arrays\n  {AGAIN}"
        raise DataRefused(message)
    return found


@contextmanager
def opened_member(archive: Path, name: str) -> Iterator[tuple[zipfile.ZipInfo, IO[bytes]]]:
    """An array's entry and its bytes; whatever zipfile or NumPy stumble over becomes DataRefused."""
    with _opened(archive) as opened:
        entry = opened.getinfo(name + ENDING)
        _refuse_odd(archive, name, entry)
        with opened.open(entry) as file:
            yield entry, file


def _refuse_odd(archive: Path, name: str, entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & ENCRYPTED:
        refuse(archive, name, "is encrypted")
    if entry.compress_type not in METHODS:
        refuse(archive, name, "is compressed in a way that NumPy does not use")
    most = METHODS[entry.compress_type] * min(entry.compress_size, archive.stat().st_size)
    if entry.file_size > most:
        refuse(archive, name, f"claims to unpack to {entry.file_size:,} bytes, but cannot be more than {most:,}")


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    refuse_unless_file(archive, "mend data.file")
    try:
        with open_zip(archive) as opened:
            yield opened
    except DataRefused:
        raise
    except PermissionError as error:
        message = f"{archive}: cannot be read ({error.strerror})\n  make the file readable for you"
        raise DataRefused(message) from error
    except Exception as error:  # a damaged archive makes zipfile and NumPy stumble in a dozen ways
        why = next(iter(str(error).splitlines()), "") or type(error).__name__
        message = f"{archive}: damaged, or no NumPy archive ({why[:200]})\n  {AGAIN}"
        raise DataRefused(message) from error


def refuse(archive: Path, name: str, what: str, mend: str = AGAIN) -> NoReturn:
    """Raise DataRefused for what is wrong with one array."""
    message = f"{archive}: {name} {what}\n  {mend}"
    raise DataRefused(message)
