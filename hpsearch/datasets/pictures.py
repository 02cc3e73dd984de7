"""Reads one picture file as grey values, whatever it is and whatever it claims to be.

Only formats that are plain pictures are tried, and nothing is unpacked that is larger than a phone's photograph.
"""

import warnings
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff"})
MOST_PIXELS = 64_000_000  # below Image.MAX_IMAGE_PIXELS, at which Pillow only begins to warn
MOST_BYTES = 200_000_000
MOST_SCANS = 100  # of a JPEG; a progressive one has about ten, and each takes a walk over all pixels
SCANS = tuple(bytes([0xFF, 0xDA, 0, 6 + 2 * channels, channels]) for channels in (1, 2, 3, 4))  # how one begins (T.81)
ORIENTATION, ON_ITS_SIDE = 0x0112, {5, 6, 7, 8}  # EXIF's tag, and those of its values that exchange width and height
DEEP = {"I", "F"}  # Pillow's names for 32 bits a pixel
WHITE = 255
THUMB, STRONG, MUCH = 32, 64, 0.1  # pixels a side; between the channels of a pixel; the share of such pixels
BITS, PHOTOMETRIC, DEEPEST = 258, 262, 16  # two tags of TIFF; the bits a pixel of other deep pictures


class NotRead(Exception):
    """A picture cannot be used; the text says why."""


def grey(path: Path, wanted: tuple[int, int] | None, *, scaled: bool = False) -> "NDArray[np.uint8]":
    """The grey values of a picture, upright: uint8, height × width; raise NotRead.

    It must be `wanted` (height, width), or is `scaled` to it. Colours become grey by their luma (ITU-R 601-2), what is
    transparent becomes white, 16 bits become 8; dark stays dark.
    """
    import numpy as np
    from PIL import Image

    try:
        size = path.stat().st_size
        if not size:
            _refuse("the file is empty")
        if size > MOST_BYTES:
            _refuse(f"larger than {MOST_BYTES:,} bytes")
    except OSError as error:
        _refuse(f"damaged or not readable ({error.strerror})")
    with opened(path) as picture:
        _refuse_odd(picture, None if scaled else wanted)
        upright = _upright(picture, 2 * max(wanted) if wanted and scaled else 0)
        if wanted and scaled:
            upright = upright.resize((wanted[1], wanted[0]), Image.Resampling.LANCZOS)
        return np.asarray(upright, np.uint8)


def is_coloured(path: Path) -> bool:
    """Whether much of a picture has strong colours, which its grey values do not tell; not where it cannot be read."""
    import numpy as np

    try:
        with opened(path) as picture:
            _refuse_odd(picture, None)
            picture.draft("RGB", (THUMB, THUMB))
            small = picture.convert("RGB").resize((THUMB, THUMB))
        return bool((np.ptp(np.asarray(small, np.int16), axis=2) > STRONG).mean() > MUCH)
    except NotRead:
        return False


@contextmanager
def opened(source: Path | IO[bytes]) -> "Iterator[Image]":
    """Give a picture whose header was read; whatever Pillow stumbles over, then or later, is raised as NotRead."""
    from PIL import Image, UnidentifiedImageError

    try:
        with (
            warnings.catch_warnings(action="ignore"),
            _file(source) as file,
            Image.open(file, formats=FORMATS) as picture,
        ):
            if picture.format in {"JPEG", "MPO"}:
                _refuse_many_scans(file)
            yield picture
    except NotRead:
        raise
    except UnidentifiedImageError:
        _refuse(f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, whatever its name")
    except Image.DecompressionBombError:
        _refuse(f"more than {MOST_PIXELS:,} pixels")
    except Exception as error:  # noqa: BLE001  # a damaged picture makes Pillow stumble over anything
        reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "") or type(error).__name__
        _refuse(f"damaged or not readable ({reason})")


def _file(source: Path | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """The file, open: given its name, Pillow 12.3 maps it, and unpacks a TIFF on its side in rows of a wrong length."""
    return source.open("rb") if isinstance(source, Path) else nullcontext(source)


def _refuse_many_scans(file: IO[bytes]) -> None:
    """Raise NotRead for a JPEG that would keep its reader busy; Pillow goes on where it was.

    The beginnings of scans are counted with their lengths: a film that a phone appends holds the two bytes of their
    marker by chance.
    """
    place = file.tell()
    file.seek(0)
    content = file.read()
    if sum(map(content.count, SCANS)) > MOST_SCANS:
        _refuse(f"a JPEG of more than {MOST_SCANS} scans; save it again")
    file.seek(place)


def _refuse_odd(picture: "Image", wanted: tuple[int, int] | None) -> None:
    """Raise NotRead by what the header says, before anything is unpacked."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        _refuse(f"{height:,} × {width:,}, more than {MOST_PIXELS:,} pixels")
    if picture.format != "TIFF" and picture.getexif().get(ORIENTATION) in ON_ITS_SIDE:  # a TIFF's size is turned
        width, height = height, width
    if wanted and (height, width) != wanted:
        _refuse(f"{height} × {width}, the first picture is {wanted[0]} × {wanted[1]}")
    if picture.mode in DEEP:
        _refuse("32 bits a pixel; save it with 8")
    if picture.format in {"TIFF", "WEBP", "PNG"} and has_pages(picture):  # a phone's JPEG may hold a second view
        _refuse("more than one picture in a file")


def has_pages(picture: "Image") -> bool:
    """Whether the file holds a second picture; it is then the one that is shown."""
    try:
        picture.seek(1)
    except EOFError:
        return False
    return True


def _upright(picture: "Image", enough: int) -> "Image":
    """The picture in 8 bits of grey, turned as its camera noted; a JPEG is unpacked to no more than `enough`."""
    from PIL import Image, ImageOps

    if enough:
        picture.draft("L", (enough, enough))
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_shallow(picture))
    if not picture.has_transparency_data:
        return picture.convert("L")
    paper = Image.new("L", picture.size, WHITE)
    seen = picture if "A" in picture.getbands() else picture.convert("RGBA")
    opaque = seen.getchannel("A")
    paper.paste(picture.convert("L"), mask=opaque)
    if paper.getextrema() == (WHITE, WHITE) and opaque.getextrema() == (0, WHITE):
        _refuse("white on transparent, of which nothing is left on white; save it on a dark background")
    return paper


def _shallow(picture: "Image") -> "NDArray[np.uint8]":
    """A picture of up to 16 bits a pixel in 8: TIFF 6.0 may have 12, and may count from white."""
    import numpy as np

    tags = getattr(picture, "tag_v2", {})
    bits, white_is_zero = tags.get(BITS, (DEEPEST,))[0], tags.get(PHOTOMETRIC) == 0
    deep = np.asarray(picture, np.uint16)
    if 0 < deep.max() < 1 << bits - 8:
        _refuse(f"{bits} bits a pixel, and none above {(1 << bits - 8) - 1}: all black in 8; save it with 8")
    shallow: NDArray[np.uint8] = (deep >> bits - 8).astype(np.uint8)
    return WHITE - shallow if white_is_zero else shallow


def _refuse(what: str) -> NoReturn:
    raise NotRead(what)
