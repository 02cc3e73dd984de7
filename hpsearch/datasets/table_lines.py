"""Reads a table of text as blocks of whole lines, plain or gzipped, so that neither its size nor a line's matters."""

import gzip
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpsearch.datasets.gzipped import opened
from hpsearch.datasets.memory import refuse_beyond_memory
from hpsearch.errors import DataRefused

CHUNK = 1 << 20
LONGEST_LINE = 1 << 22  # bytes: a row of 1024 × 1024 pixels
ZIP = b"PK\3\4"
WIDEST = 4  # characters that a pixel may take with its comma
SAVE = "save the table as plain text (UTF-8) with commas"


@dataclass(frozen=True)
class Block:
    """Some whole lines, each with its end; `first` is the number of the first in the file, from 1."""

    first: int
    text: bytes


def blocks(path: Path) -> Iterator[Block]:
    """The lines of a table; raise DataRefused for a file that is no text, or is damaged, or has an endless line."""
    first, rest = 1, b""
    with opened(path) as file:
        if not isinstance(file, gzip.GzipFile):
            refuse_beyond_memory(str(path), path.stat().st_size // WIDEST)
        while chunk := file.read(CHUNK):
            if first == 1 and not rest:
                chunk = _without_mark(path, chunk)
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                yield _block(path, first, whole + end)
                first += whole.count(b"\n") + 1
            if len(rest) > LONGEST_LINE:
                _refuse_nul(path, first, rest)
                message = (
                    f"{path}, line {first:,}: longer than {LONGEST_LINE:,} bytes\n  is it a table of small images?"
                )
                raise DataRefused(message)
    if rest:
        yield _block(path, first, rest + b"\n")


def _refuse_nul(path: Path, first: int, text: bytes) -> None:
    if (place := text.find(b"\0")) >= 0:
        line = first + text.count(b"\n", 0, place)
        column = text.count(b",", text.rfind(b"\n", 0, place) + 1, place) + 1
        message = f"{path}, line {line:,}, column {column:,}: a NUL byte, as in no plain text\n  {SAVE}"
        raise DataRefused(message)


def _block(path: Path, first: int, text: bytes) -> Block:
    _refuse_nul(path, first, text)
    if len(text) > CHUNK // 2 and text.isspace():
        message = f"{path}, line {first:,}: {len(text):,} blank lines and more\n  {SAVE}"
        raise DataRefused(message)
    return Block(first, text.replace(b"\r\n", b"\n"))


def _without_mark(path: Path, chunk: bytes) -> bytes:
    if chunk.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        message = f"{path}, line 1, column 1: the file is UTF-16, as spreadsheets save 'Unicode text'\n  {SAVE}"
        raise DataRefused(message)
    if chunk.startswith(ZIP):
        message = f"{path}: is a zip archive, or a spreadsheet's own file\n  unpack it, or {SAVE}"
        raise DataRefused(message)
    return chunk.removeprefix(BOM_UTF8)
