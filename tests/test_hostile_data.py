"""Data sets that mean harm or are merely broken, by the real command: refused in seconds, with the place."""

import gzip
import json
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from data_makers import drawings, idx_bytes, table_text, write_pair, write_pictures
from test_npz import HUGE, Canary, npy
from test_pictures import png

from hpsearch.cli.data import data
from hpsearch.errors import DataRefused

IMAGES, LABELS = drawings(height=6, width=6)
LINES = table_text(IMAGES, LABELS).splitlines()
MOST_SECONDS, MOST_BYTES = 5.0, 1_000_000_000

Words = list[str]
Make = Callable[[Path], Words]


def table(content: bytes | str) -> Make:
    def make(folder: Path) -> Words:
        (folder / "own.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return ["csv", "--file", str(folder / "own.csv")]

    return make


def row(line: int, text: str) -> Make:
    """A sound table but for one line, counted from 1."""
    return table("\n".join([*LINES[: line - 1], text, *LINES[line:]]))


def gigabyte(piece: bytes) -> bytes:
    """A gigabyte of the same few bytes over and over, zipped to some hundred kilobytes."""
    return gzip.compress(piece * ((1 << 26) // len(piece)), 1) * 16


def archive(**arrays: Any) -> Make:
    def make(folder: Path) -> Words:
        np.savez_compressed(folder / "own.npz", **{"x_train": IMAGES, "y_train": LABELS} | arrays)
        return ["npz", "--file", str(folder / "own.npz")]

    return make


def forged(header: dict[str, Any], content: bytes = b"", claimed: int | None = None) -> Make:
    """An archive whose images have this header; its directory claims so many bytes for them."""

    def make(folder: Path) -> Words:
        file, member = folder / "own.npz", npy(header, content)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("x_train.npy", member)
            with opened.open("y_train.npy", "w") as labels:
                np.save(labels, LABELS)
        if claimed is not None:
            true, false = (struct.pack("<I", size) for size in (len(member), len(member) - len(content) + claimed))
            file.write_bytes(file.read_bytes().replace(true, false))
        return ["npz", "--file", str(file)]

    return make


def pictures(spoil: Callable[[Path], Any]) -> Make:
    def make(folder: Path) -> Words:
        write_pictures(folder / "own", IMAGES, LABELS)
        spoil(folder / "own")
        return ["folder", "--folder", str(folder / "own")]

    return make


def pair(images: bytes | None = None, labels: bytes | None = None) -> Make:
    def make(folder: Path) -> Words:
        write_pair(folder, "train", IMAGES, LABELS)
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            if content is not None:
                (folder / f"train-{kind}-ubyte.gz").write_bytes(content)
        return ["idx", "--folder", str(folder)]

    return make


def unpickles(folder: Path) -> Words:
    return archive(x_train=np.array([Canary(folder / "ran")] * 40, object))(folder)


ROWS_LIE = {"descr": "|u1", "fortran_order": False, "shape": (60_000, 6, 6)}
BOMB = {"descr": "|u1", "fortran_order": False, "shape": (5_000_000, 28, 28)}
ONE_NAN = np.where(np.arange(1440).reshape(40, 6, 6) == 9, np.nan, IMAGES)
GIGABYTES = struct.pack(">BBBBIII", 0, 0, 8, 3, 4_000_000_000, 4_000_000_000, 1)

HOSTILE: dict[str, tuple[Make, str]] = {
    # tables
    "a formula": (row(3, LINES[2].rpartition(",")[0] + ",=cmd()"), "line 3, column 37: '=cmd()' is no whole number"),
    "NUL": (row(3, "1,2,\0,4"), "line 3, column 3: a NUL byte"),
    "a gigabyte of NUL": (lambda folder: sparse(folder / "own.csv", 1 << 30), "line 1, column 1: a NUL byte"),
    "a line of a gigabyte": (table(gigabyte(b"1,")), "line 1: longer than 4,194,304 bytes"),
    "a gigabyte of blank lines": (table(gigabyte(b"\n\n")), "line 1: |blank lines"),
    "UTF-16": (table("\n".join(LINES).encode("utf-16")), "line 1, column 1: the file is UTF-16"),
    "rows of several widths": (row(5, "1,2,3"), "line 5: 3 columns, the first line has 37"),
    "a million columns": (table("1," * 999_999 + "1\n"), "line 1: 999,999 pixels a row are no square image"),
    "a pixel out of range": (row(2, LINES[1].rpartition(",")[0] + ",256"), "line 2, column 37: '256' is no whole"),
    "a pixel that is no number": (row(2, LINES[1].rpartition(",")[0] + ",nan"), "line 2, column 37: 'nan' is no"),
    "a label out of range": (row(4, "-" + LINES[3]), "line 4, column 1: '-3' is no whole number from 0 to 9,999"),
    "an empty table": (table(""), "holds no rows"),
    "one class": (table(table_text(IMAGES, LABELS * 0)), "all 40 rows are of one class, '0'"),
    "an empty class": (table(table_text(IMAGES, LABELS * 2)), "3 of 7 classes have no rows (1, 3, 5)"),
    "a cut table": (table(gzip.compress("\n".join(LINES).encode())[:-99]), "damaged or cut off"),
    # archives
    "objects that run code": (unpickles, "x_train holds Python objects, that is a pickle"),
    "fewer rows than promised": (forged(ROWS_LIE, bytes(360)), "60,000 × 6 × 6 of uint8, 2,160,000 bytes, the file"),
    "a bomb": (forged(BOMB, bytes(1000), 5_000_000 * 784), "claims to unpack to 3,920,000,128 bytes"),
    "4e9 × 4e9": (forged(HUGE), "its header says 4,000,000,000 × 4,000,000,000"),
    "NaN": (archive(x_train=ONE_NAN), "x_train[0, 1, 3]: nan is not whole and from 0 to 255"),
    "too few labels": (archive(y_train=LABELS[:-1]), "40 in x_train and 39 in y_train"),
    "labels of text": (archive(y_train=np.array(["=cmd()"] * 40)), "y_train holds <U6, not numbers"),
    # pictures
    "a picture that is a bomb": (
        pictures(lambda own: (own / "b/1.png").write_bytes(png(13_000, 13_000))),
        "b/1.png: 13,000 × 13,000, more than 64,000,000 pixels",
    ),
    "a cut picture": (pictures(lambda own: os.truncate(own / "b/1.png", 60)), "b/1.png: damaged or not readable"),
    "a pipe": (pictures(lambda own: os.mkfifo(own / "b/2.png")), "b/2.png: no file that can be read"),
    # idx
    "4e9 × 4e9, zipped": (pair(gzip.compress(GIGABYTES)), "its header says 4,000,000,000 × 4,000,000,000"),
    "a zipped bomb": (pair(gzip.compress(idx_bytes(IMAGES) + bytes(1 << 26))), "the file holds more"),
    "another file": (pair(b"<html>404</html>"), "not an idx file of 3 axes"),
    "more labels than images": (pair(labels=idx_bytes(np.arange(41) % 4)), "40 images, but 41 labels"),
}


def sparse(file: Path, size: int) -> Words:
    file.touch()
    os.truncate(file, size)
    return ["csv", "--file", str(file)]


def seconds() -> float:
    """Of processor time, for other work on the machine is not the reader's fault."""
    return time.process_time()


@pytest.mark.promise("P19", "H40", "63")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_data_set_is_refused_in_seconds_with_its_place(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, texts = HOSTILE[what]
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    (tmp_path / "own").mkdir()
    words = make(tmp_path / "own")
    held, began = psutil.Process().memory_info().rss, seconds()

    result = CliRunner().invoke(data, ["get", *words])

    assert isinstance(result.exception, DataRefused), result.exception
    assert result.exception.exit_code == 9
    for text in texts.split("|"):
        assert text in str(result.exception)
    assert "\n  " in str(result.exception)
    assert not {*str(result.exception)} & {"\0", "\x1b"}
    assert seconds() - began < MOST_SECONDS
    assert psutil.Process().memory_info().rss - held < MOST_BYTES
    assert not list((tmp_path / "cache").glob("prepared/[!.]*"))
    assert not (tmp_path / "own" / "ran").exists()


def test_what_was_refused_is_taken_when_it_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    words = row(3, "1,2,3")(tmp_path)
    refused = CliRunner().invoke(data, ["get", *words])
    (tmp_path / "own.csv").write_text("\n".join(LINES))

    mended = CliRunner().invoke(data, ["get", *words, "--json"])

    assert isinstance(refused.exception, DataRefused)
    assert json.loads(mended.stdout)["train_rows"] == 32
