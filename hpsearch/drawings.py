"""Knows a drawing of ours by a mark in its file, so that it is not taken for anybody's picture."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

KEYWORD, OURS = "Software", "hpsearch, drawing"  # a keyword of PNG (W3C, 11.3.3.2), and what no other says
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = f"{KEYWORD}\0{OURS}".encode("latin-1")
CHUNK = len(_TEXT).to_bytes(4) + b"tEXt" + _TEXT  # its length, kind and content (W3C, 5.3)
HEAD = 200  # bytes at a file's beginning; Pillow writes texts right after the header of 33


def mark() -> "PngInfo":
    """What Pillow is to write into a drawing's file."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(KEYWORD, OURS)
    return info


def is_drawing(file: Path) -> bool:
    """Whether a file bears the mark; what cannot be read does not."""
    try:
        if not file.is_file():  # opening a pipe would wait for its other end
            return False
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except (OSError, ValueError):
        return False
    return head.startswith(SIGNATURE) and CHUNK in head
