"""Opens a picture from outside as grey values, or says in one line why not.

Only plain picture formats are tried, by content and not by name; the header is judged before anything is unpacked.
"""

import io
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hpsearch.datasets.faults import short
from hpsearch.datasets.pictures import DEEP, MOST_PIXELS, ON_ITS_SIDE, ORIENTATION, WHITE, NotRead, has_pages, opened
from hpsearch.errors import PictureRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MOST_BYTES = 30_000_000  # what the play page takes, too; a phone's JPEG of 48 megapixels has some 20
LONGEST = 1600  # pixels that a side keeps; a line of 40 characters still has 40 for each
LEAST_SIDE = 4
PALE = 128
UNIFORM = 16  # grey levels; the ink of a drawing on glass is of one tone, what a photograph shows is not
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's orientations in the numbers of PIL.Image.Transpose
COMMENTS = rb"(?:<!--(?:(?!-->).)*-->\s*)*"  # each ends at its first -->, so that no file can be cut in many ways
OTHER_KINDS = (
    (re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?" + COMMENTS + rb"(?:<!DOCTYPE svg[^>]*>\s*)?<svg", re.DOTALL), "SVG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "PostScript"),
    (re.compile(rb"%PDF-"), "PDF"),
    (re.compile(rb"....ftyp(?:heic|heix|hevc|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"\s*<(?:!DOCTYPE html|html)", re.IGNORECASE), "HTML"),
)
OTHER_ENDINGS = frozenset({".avif", ".gif", ".heic", ".heif"})  # of pictures that cameras and browsers leave in folders
KNOWN = "take a PNG, JPEG, WebP, BMP or TIFF"


@dataclass(frozen=True)
class Sheet:
    """Grey values of a picture, 255 = white, upright, maybe smaller than it was; `size` is its own width and height."""

    grey: "NDArray[np.uint8]"
    size: tuple[int, int]


def open_picture(name: str, source: Path | bytes) -> "NDArray[np.uint8]":
    """The grey values of a picture, uint8, height × width, 255 = white, upright, its longest side 1600 at most.

    Raises PictureRefused.
    """
    return open_sheet(name, source).grey


def open_sheet(name: str, source: Path | bytes) -> Sheet:
    """Open a picture as a sheet; raise PictureRefused, whose text begins with the name."""
    try:
        content = source if isinstance(source, bytes) else _content(source)
        _refuse_other_kinds(content)
        with opened(io.BytesIO(content)) as picture:
            return _sheet(picture)
    except NotRead as error:
        raise PictureRefused(short(name), str(error)) from error


def _content(file: Path) -> bytes:
    try:
        if not file.is_file():
            _refuse("there is no such file" if not file.exists() else "is no file")
        with file.open("rb") as opened_file:
            return opened_file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        _refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})")


def _refuse_other_kinds(content: bytes) -> None:
    if not content:
        _refuse("the file is empty")
    if len(content) > MOST_BYTES:
        _refuse(f"more than {MOST_BYTES:,} bytes; save it smaller")
    for start, kind in OTHER_KINDS:
        if start.match(content[:2000]):
            _refuse(f"{'an' if kind in {'SVG', 'HTML', 'AVIF'} else 'a'} {kind} file; {KNOWN}")


def _sheet(picture: "Image") -> Sheet:
    """Judge the header, then unpack no more than is needed."""
    import numpy as np
    from PIL import Image

    width, height = picture.size
    if width * height > MOST_PIXELS:
        _refuse(f"{width:,} × {height:,}, more than {MOST_PIXELS:,} pixels; save it smaller")
    if min(width, height) < LEAST_SIDE:
        _refuse(f"{width:,} × {height:,} pixels, too small to show a character")
    if picture.mode in DEEP:
        _refuse("32 bits a pixel; save it with 8")
    if picture.format != "MPO" and has_pages(picture):  # a phone's JPEG may hold a second view
        _refuse("animated, or more than one picture in a file; save one of them")
    reduced = LONGEST / max(width, height)
    picture.draft(None, (ceil(width * reduced), ceil(height * reduced)))  # a JPEG is unpacked to no more than that
    grey = _smaller(_grey(picture))
    turn = picture.getexif().get(ORIENTATION)  # Pillow has turned a TIFF while unpacking it, and took this out
    size = (height, width) if turn in ON_ITS_SIDE else (width, height)
    return Sheet(np.asarray(grey.transpose(Image.Transpose(TURNS[turn])) if turn in TURNS else grey, np.uint8), size)


def _grey(picture: "Image") -> "Image":
    """The picture in 8 bits of grey, by luma (ITU-R 601-2); what is transparent becomes paper."""
    import numpy as np
    from PIL import Image

    picture.load()
    if picture.mode.startswith("I;16"):
        deep = np.asarray(picture, np.uint16)
        return Image.fromarray((deep >> max(0, int(deep.max()).bit_length() - 8)).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("L")
    seen = picture if "A" in picture.getbands() else picture.convert("RGBA")
    ink, opaque = picture.convert("L"), seen.getchannel("A")
    paper = Image.new("L", picture.size, _paper(np.asarray(_smaller(ink)), np.asarray(_smaller(opaque))))
    paper.paste(ink, mask=opaque)
    return paper


def _paper(luma: "NDArray[np.uint8]", opaque: "NDArray[np.uint8]") -> int:
    """The grey value of the glass that a picture is drawn on: far from its ink, or as the rest of its background.

    A picture whose visible part is small, or of one tone, is a drawing on glass; else only its rim is transparent.
    """
    import numpy as np

    shown = luma[opaque >= PALE]
    if not shown.size:
        return WHITE
    if 2 * shown.size < luma.size or shown.std() < UNIFORM:
        return 0 if np.median(shown) >= PALE else WHITE
    return int(np.median(shown))


def _smaller(grey: "Image") -> "Image":
    from PIL import Image

    width, height = grey.size
    longest = max(width, height)
    if longest <= LONGEST:
        return grey
    size = max(1, round(width * LONGEST / longest)), max(1, round(height * LONGEST / longest))
    return grey.resize(size, Image.Resampling.BOX)


def _refuse(why: str) -> NoReturn:
    raise NotRead(why)
