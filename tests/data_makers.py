"""Small real files and a real web server for the tests of data sets."""

import gzip
import os
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Array = np.ndarray[Any, Any]


def at_hand(*files: str) -> Path:
    """The folder of real data, when these files are in it; else the test is skipped."""
    folder = Path(os.environ.get("HPSEARCH_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if missing := [file for file in files if not (folder / file).is_file()]:
        pytest.skip(f"the real data is not at hand: {folder / missing[0]} (set HPSEARCH_TEST_DATA)")
    return folder


def idx_bytes(array: Array) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(path: Path, array: Array) -> Path:
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def drawings(rows: int = 40, classes: int = 4, height: int = 6, width: int = 5, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (rows, height, width), dtype=np.uint8), np.arange(rows) % classes


def write_pair(folder: Path, beginning: str, images: Array, labels: Array, suffix: str = ".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{beginning}-images-idx3-ubyte{suffix}", np.asarray(images))
    write_idx(folder / f"{beginning}-labels-idx1-ubyte{suffix}", np.asarray(labels))
    return folder


def table_text(images: Array, labels: Array, *, header: bool = False) -> str:
    """A table as Kaggle has them: a label, then the pixels."""
    flat = np.asarray(images).reshape(len(images), np.prod(images.shape[1:], dtype=int))
    head = ",".join(["label", *(f"pixel{place}" for place in range(flat.shape[1]))]) + "\n" if header else ""
    rows = zip(np.asarray(labels).tolist(), flat.tolist(), strict=True)
    return head + "".join(",".join(map(str, [label, *row])) + "\n" for label, row in rows)


def write_table(path: Path, images: Array, labels: Array, *, header: bool = False) -> Path:
    text = table_text(images, labels, header=header).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_pictures(folder: Path, images: Array, labels: Array, names: str = "abcdefghij", ending: str = "png") -> Path:
    """A picture a file, in a folder for each class, whose name is a letter."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / names[label] / f"{number}.{ending}"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    return folder


class Site:
    """A folder of files on loopback; the first word of a path says how the server misbehaves."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.url = files, ""
        self.asked: list[tuple[str, str | None]] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        _, habit, name = request.path.split("/", 2)
        self.asked.append((habit, request.headers.get("Range")))
        getattr(self, habit.replace("-", "_"), self.missing)(request, name)

    def good(self, request: BaseHTTPRequestHandler, name: str) -> None:
        body = self.files[name]
        begin = self._begin(request)
        if begin >= len(body):
            self._head(request, 416, 0)
            return
        if begin:
            self._head(request, 206, len(body) - begin, f"bytes {begin}-{len(body) - 1}/{len(body)}")
        else:
            self._head(request, 200, len(body))
        request.wfile.write(body[begin:])

    def cuts_once(self, request: BaseHTTPRequestHandler, name: str) -> None:
        if len(self.asked) > 1:
            self.good(request, name)
            return
        self.forgets_ranges(request, name, cut=True)

    def always_cuts(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self.forgets_ranges(request, name, cut=True)

    def cuts_then_forgets_ranges(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self.forgets_ranges(request, name, cut=len(self.asked) == 1)

    def forgets_ranges(self, request: BaseHTTPRequestHandler, name: str, *, cut: bool = False) -> None:
        body = self.files[name]
        self._head(request, 200, len(body))
        request.wfile.write(body[: len(body) // 2] if cut else body)

    def lies(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._head(request, 200, len(self.files[name]))
        request.wfile.write(bytes(len(self.files[name])))

    def never_ends(self, request: BaseHTTPRequestHandler, _: str) -> None:
        self._head(request, 200, None)
        while True:
            request.wfile.write(bytes(1 << 16))

    def goes_round(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._redirect(request, f"/goes-round/{name}")

    def moved(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._redirect(request, f"/good/{name}")

    def betrays(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._redirect(request, f"http://169.254.169.254/{name}")

    def sends_to_a_neighbour(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._redirect(request, f"http://127.0.0.1:1/{name}")

    def babbles(self, request: BaseHTTPRequestHandler, _: str) -> None:
        self._redirect(request, "http://[nowhere/")

    def sends_to_files(self, request: BaseHTTPRequestHandler, name: str) -> None:
        self._redirect(request, f"file:///etc/{name}")

    def missing(self, request: BaseHTTPRequestHandler, _: str) -> None:
        self._head(request, 404, 0)

    def _begin(self, request: BaseHTTPRequestHandler) -> int:
        match = re.match(r"bytes=(\d+)-", request.headers.get("Range") or "")
        return int(match[1]) if match else 0

    def _redirect(self, request: BaseHTTPRequestHandler, to: str) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _head(
        self, request: BaseHTTPRequestHandler, status: int, length: int | None, content_range: str | None = None
    ) -> None:
        request.send_response(status)
        if length is not None:
            request.send_header("Content-Length", str(length))
        if content_range:
            request.send_header("Content-Range", content_range)
        request.end_headers()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on an endless body is what is wanted."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Site]:
    site = Site(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, *words: object) -> None:
            """Keep the test's output to itself."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Heard:
    """Remembers what a Progress was told."""

    def __init__(self) -> None:
        self.news: list[tuple[str, int, int | None]] = []

    def __call__(self, what: str, done: int, total: int | None) -> None:
        self.news.append((what, done, total))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
