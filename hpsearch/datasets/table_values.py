"""Turns lines of a table into numbers: at once where every line is as it should be, else one by one, to find faults."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.datasets.faults import Faults, short
from hpsearch.datasets.own import HIGHEST_LABEL, as_square
from hpsearch.datasets.table_lines import SAVE, Block
from hpsearch.errors import DataRefused

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.int32]]

LABELS = ("label", "class", "target", "y")
INDEX = {"unnamed: 0", "index", "id"}  # pandas names a column without a name so, when it reads it
NUMBER = re.compile(rb'\s*"?(\d{1,9})(?:\.0*)?"?\s*')
COMMA, NEWLINE, ZERO = b",\n0"
LONGEST = len(str(HIGHEST_LABEL))
HIGHEST = 255


@dataclass(frozen=True)
class Columns:
    """How a table is laid out: so many columns, which of them (from 0) holds the labels, and the images' shape."""

    width: int
    label: int
    shape: tuple[int, int]
    header: bool

    def highest(self, column: int) -> int:
        """The highest number that a column (from 0) may hold."""
        return HIGHEST_LABEL if column == self.label else HIGHEST


def columns(path: Path, first: bytes, size: tuple[int, int] | None) -> Columns:
    """Read the layout off the first line, which may be a header; raise DataRefused if it is none of images."""
    fields = first.rstrip(b"\n").split(b",")
    if len(fields) == 1:
        message = f"{path}, line 1: a single column, {_shown(fields[0])}\n  {SAVE}: the label, then the pixels"
        raise DataRefused(message)
    names = [field.strip(b" \"'").lower().decode(errors="replace") for field in fields]
    if names == list(map(str, range(len(names)))):
        message = f"{path}, line 1: counts its columns, as data frames do\n  name the column of labels {LABELS[0]!r}"
        raise DataRefused(message)
    header = not any(map(NUMBER.fullmatch, fields)) or not names[0] or any(name in LABELS for name in names)
    label = _label(path, names) if header else 0
    _refuse_one_more(path, len(fields) - 1, size)
    return Columns(len(fields), label, as_square(len(fields) - 1, size, f"{path}, line 1"), header)


def _refuse_one_more(path: Path, pixels: int, size: tuple[int, int] | None) -> None:
    """Raise DataRefused where an image and one column more would come out."""
    height, width = size or (math.isqrt(pixels), math.isqrt(pixels))
    if height * width == pixels - 1 > 1:
        message = (
            f"{path}, line 1: {pixels:,} columns beside the label, one more than {height} × {width} pixels:"
            " an index, or a comma at the end of each line\n  save it without: to_csv(…, index=False)"
        )
        raise DataRefused(message)


def numbers(block: Block, layout: Columns, faults: Faults) -> "Numbers":
    """The sound rows of a block (rows × columns); what is wrong with the others goes to `faults`."""
    import numpy as np

    found = _at_once(block.text, layout)
    if found is not None:
        return found
    rows = []
    for number, line in enumerate(block.text.splitlines(), start=block.first):
        if faults.enough:
            break
        if line.strip() and (row := _row(number, line, layout, faults)):
            rows.append(row)
    return np.array(rows, np.int32).reshape(-1, layout.width)


def _at_once(text: bytes, layout: Columns) -> "Numbers | None":
    """All numbers of a text of nothing but digits, commas and ends of lines; None where anything is out of order."""
    import numpy as np

    raw = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((raw == COMMA) | (raw == NEWLINE))
    digits = raw - ZERO  # what is below the digits comes out above them
    lengths = np.diff(ends, prepend=-1) - 1
    whole = np.count_nonzero(digits <= 9) + len(ends) == len(raw)  # noqa: PLR2004
    if not text or not whole or lengths.min() < 1 or lengths.max() > LONGEST or len(ends) % layout.width:
        return None
    lines = raw[ends].reshape(-1, layout.width) == NEWLINE
    if not lines[:, -1].all() or lines[:, :-1].any():
        return None
    values = digits[ends - 1].astype(np.int32)
    for place in range(1, lengths.max()):
        longer = lengths > place
        values[longer] += 10**place * digits[ends[longer] - 1 - place].astype(np.int32)
    table = values.reshape(-1, layout.width)
    return None if np.delete(table, layout.label, axis=1).max() > HIGHEST else table


def _row(number: int, line: bytes, layout: Columns, faults: Faults) -> list[int] | None:
    fields = line.split(b",")
    if len(fields) != layout.width:
        many = f"{len(fields):,} column{'s'[: len(fields) > 1]}"
        faults.add(f"line {number:,}", f"{many}, the first line has {layout.width:,}")
        return None
    row = list(map(_number, fields))
    wrong = [column for column, value in enumerate(row) if not 0 <= value <= layout.highest(column)]
    for column in wrong:
        what = f"{_shown(fields[column])} is no whole number from 0 to {layout.highest(column):,}"
        faults.add(f"line {number:,}, column {column + 1:,}", what)
    return None if wrong else row


@lru_cache(maxsize=1 << 12)
def _number(field: bytes) -> int:
    """A whole number, bare, in quotes, or with a fraction of zeros, as data frames write it; -1 for anything else."""
    match = NUMBER.fullmatch(field)
    return int(match[1]) if match else -1


def _shown(field: bytes) -> str:
    return f"'{short(field[:200].decode(errors='replace'))}'" if field.strip() else "nothing"


def _label(path: Path, names: Sequence[str]) -> int:
    for place, name in enumerate(names, start=1):
        if not name or name in INDEX:
            what = f"{path}, line 1, column {place}: {repr(name) if name else 'no name'}, an index perhaps"
            message = f"{what}\n  save it without: to_csv(…, index=False)"
            raise DataRefused(message)
    if not (known := [name for name in LABELS if name in names]):
        shown = ", ".join(repr(short(name)) for name in names[:3]) + (", …" if len(names) > 3 else "")  # noqa: PLR2004
        message = (
            f"{path}, line 1: a header without a column of labels ({shown})"
            f"\n  call it {LABELS[0]!r}; a table for testing needs labels, too"
        )
        raise DataRefused(message)
    return names.index(known[0])
