"""Pages with something written on them, made by code: real bytes of real picture files."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

PAPER, PEN = 235, 30


def page(*strokes: list[tuple[float, float]], size: tuple[int, int] = (200, 240), pen: int = 10) -> Image.Image:
    """A light page (width, height) with dark strokes, each through points given as shares of it."""
    sheet = Image.new("L", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for stroke in strokes:
        points = [(x * size[0], y * size[1]) for x, y in stroke]
        draw.line(points, PEN, pen, joint="curve")
        for x, y in points:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), PEN)
    return sheet


def file_of(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A piece of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes = b"", *extra: bytes, depth: int = 8) -> bytes:
    """A grey PNG by hand: its head says this size, whatever its rows hold."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


SEVEN = [(0.3, 0.3), (0.7, 0.3), (0.45, 0.75)]


def seven(**options: Any) -> Image.Image:
    return page(SEVEN, **options)


def many_scans() -> bytes:
    """A progressive JPEG whose last scan is repeated, as one does to keep a decoder busy."""
    whole = file_of(seven(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + (whole[last:-2] * 200) + b"\xff\xd9"


def noisy(picture: Image.Image, amount: float, seed: int = 0) -> Image.Image:
    grey = np.asarray(picture, np.float32) + np.random.default_rng(seed).normal(0, amount, picture.size[::-1])
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
