"""Files from anybody: each is read, or refused in one clear line, with little memory, and nothing of it is run."""

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written import chunk, file_of, many_scans, page, png, seven

from hpsearch.errors import PictureRefused
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.pictures import LONGEST, open_picture
from hpsearch.predict.sights import Picture, Unread


def blank(width: int, height: int, *extra: bytes, rows: int | None = None) -> bytes:
    """A black PNG of a bit a pixel, which a few bytes are enough for; so many of its rows are there."""
    line = bytes(1 + (width + 7) // 8)
    return png(width, height, line * (height if rows is None else rows), *extra, depth=1)


def animated(kind: str, frames: int = 3) -> bytes:
    first, *rest = (seven(pen=5 + number) for number in range(frames))
    return file_of(first, kind, save_all=True, append_images=rest)


SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/hpsearch-was-run) (w) file closefile\nshowpage\n"
POLYGLOT = b"GIF89a/*" + b"\0" * 20 + b"*/=1;<html><script>alert(1)</script></html>"
HOSTILE = {
    "an empty file": (b"", "the file is empty"),
    "text": (b"only words\n" * 20, "no PNG, JPEG, BMP, WEBP or TIFF, whatever its name"),
    "a program": (b"\x7fELF" + bytes(200), "no PNG"),
    "an SVG with a script": (SVG, "an SVG file; take a PNG"),
    "an SVG behind comments": (b"<!-- one -->\n<!----><!-- -> -->" + SVG[22:], "an SVG file; take a PNG"),
    "comments with nothing behind": (b"<!---->" * 250, "no PNG"),
    "an EPS": (EPS, "a PostScript file; take a PNG"),
    "a PDF": (b"%PDF-1.7\n", "a PDF file; take a PNG"),
    "a HEIC": (b"\0\0\0\x18ftypheic" + bytes(50), "a HEIC file; take a PNG"),
    "HTML": (b"<!doctype html><script>alert(1)</script>", "an HTML file; take a PNG"),
    "a GIF that is HTML, too": (POLYGLOT, "a GIF file; take a PNG"),
    "a GIF of 400 pictures": (animated("GIF", 400), "a GIF file; take a PNG"),
    "a PNG of 13,000 × 13,000 in 20 KB": (
        blank(13_000, 13_000, rows=50), "13,000 × 13,000, more than 64,000,000 pixels",
    ),
    "a PNG that says it has 4 billion columns": (blank(2**31 - 1, 2**31 - 1, rows=1), "more than 64,000,000 pixels"),
    "a PNG without columns": (blank(0, 0), "0 × 0 pixels, too small|no PNG|damaged"),
    "a PNG of one pixel": (file_of(Image.new("L", (1, 1))), "1 × 1 pixels, too small to show a character"),
    "an animated PNG": (animated("PNG"), "animated, or more than one picture in a file"),
    "an animated WebP": (animated("WEBP"), "animated, or more than one picture in a file"),
    "a TIFF of three pages": (animated("TIFF"), "animated, or more than one picture in a file"),
    "a PNG with a bomb of a colour profile": (
        blank(50, 50, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(30_000_000), 9))), "damaged or not readable",
    ),
    "a PNG with a bomb of a comment": (
        blank(50, 50, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30_000_000), 9))), "damaged or not readable",
    ),
    "half a PNG": (file_of(seven())[:200], "damaged or not readable"),
    "half a JPEG": (file_of(seven(), "JPEG")[:1500], "damaged or not readable"),
    "half a WebP": (file_of(seven(), "WEBP")[:300], "damaged or not readable|no PNG"),
    "half a TIFF": (file_of(seven(), "TIFF")[:900], "damaged or not readable|no PNG"),
    "a JPEG of 200 scans": (many_scans(), "a JPEG of more than 100 scans"),
    "a TIFF of floats": (file_of(Image.new("F", (30, 30)), "TIFF"), "32 bits a pixel"),
    "a black page of 64 megapixels in 8 KB": (blank(8000, 8000), "nothing is written on it"),
    "more than 30 MB": (b"\x89PNG\r\n\x1a\n" + bytes(30_000_000), "more than 30,000,000 bytes"),
}  # fmt: skip


@pytest.mark.promise("H46")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(kind: str) -> None:
    content, why = HOSTILE[kind]

    found = look("upload", content, Framing.MNIST)

    assert isinstance(found, Unread)
    assert "\n" not in found.why
    assert any(expected in found.why for expected in why.split("|")), found.why


MEASURED = """
import re, sys
from pathlib import Path
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
for file in sorted(Path(sys.argv[1]).iterdir()):
    look(file.name, file, Framing.MNIST)
print(1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]))
"""  # what getrusage tells is, to begin with, the memory of who started the process


@pytest.mark.promise("H46")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells there how much memory a process took")
def test_all_hostile_files_together_take_little_memory_and_nothing_of_them_is_run(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number, (content, _) in enumerate(HOSTILE.values()):
        (folder / f"{number}.png").write_bytes(content)

    ended = subprocess.run([sys.executable, "-c", MEASURED, folder], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 1_000_000_000
    assert not Path("/tmp/hpsearch-was-run").exists()  # noqa: S108  # the EPS above names it


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_every_format_is_read_by_content_whatever_its_name(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.gif"
    file.write_bytes(file_of(seven(), kind))

    assert isinstance(look("picture.gif", file, Framing.MNIST), Picture)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    drawn = seven()
    deep = Image.fromarray(np.asarray(drawn, np.uint16) * 257)

    found = look("picture", file_of(deep if mode == "I;16" else drawn.convert(mode)), Framing.MNIST)

    assert isinstance(found, Picture)
    assert found.dark_on_light
    assert len(found.characters) == 1


def test_a_jpeg_in_printers_colours_is_read_as_it_looks() -> None:
    found = look("print.jpg", file_of(seven().convert("RGB").convert("CMYK"), "JPEG"), Framing.MNIST)

    assert isinstance(found, Picture)
    assert found.dark_on_light


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_noted(orientation: int, kind: str) -> None:
    upright = seven(size=(200, 260))
    lying = upright.transpose(BACK[orientation]) if orientation in BACK else upright
    exif = Image.Exif()
    exif[0x0112] = orientation

    found = look("phone", file_of(lying, kind, exif=exif), Framing.MNIST)

    straight = look("page", file_of(upright), Framing.MNIST)
    assert isinstance(found, Picture)
    assert isinstance(straight, Picture)
    assert found.size == (200, 260)
    assert found.characters[0].box == pytest.approx(straight.characters[0].box, abs=2)
    assert np.abs(found.characters[0].image.astype(int) - straight.characters[0].image).mean() < 5


TURN = Image.Transpose
BACK = {
    2: TURN.FLIP_LEFT_RIGHT, 3: TURN.ROTATE_180, 4: TURN.FLIP_TOP_BOTTOM, 5: TURN.TRANSPOSE,
    6: TURN.ROTATE_90, 7: TURN.TRANSVERSE, 8: TURN.ROTATE_270,
}  # fmt: skip


def test_a_phones_photograph_of_48_megapixels_is_read_and_boxes_are_in_its_own_pixels() -> None:
    photograph = file_of(seven(size=(800, 600), pen=40).resize((8000, 6000)), "JPEG")

    found = look("phone.jpg", photograph, Framing.MNIST)

    assert isinstance(found, Picture)
    assert found.size == (8000, 6000)
    assert found.characters[0].box == pytest.approx((2200, 1600, 5800, 4700), abs=100)


def test_a_large_picture_is_made_smaller() -> None:
    grey = open_picture("page", file_of(page(size=(3000, 2000))))

    assert grey.shape == (round(LONGEST * 2 / 3), LONGEST)


def test_a_file_that_is_not_there_or_cannot_be_read_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")

    for name, why in (
        ("missing.png", "there is no such file"),
        ("folder.png", "is no file"),
        ("pipe.png", "is no file"),
    ):
        with pytest.raises(PictureRefused, match=f"{name}: {why}") as refused:
            open_picture(name, tmp_path / name)
        assert refused.value.exit_code == 9


def test_a_name_full_of_control_signs_is_shown_escaped() -> None:
    with pytest.raises(PictureRefused, match=r"a\\x1b\[2Jb: the file is empty"):
        open_picture("a\x1b[2Jb", b"")


def test_a_phones_second_view_does_not_hinder_the_first() -> None:
    content = io.BytesIO()
    seven().save(content, "MPO", save_all=True, append_images=[seven(pen=20)])

    assert isinstance(look("phone", content.getvalue(), Framing.MNIST), Picture)


def test_the_film_behind_a_motion_photo_does_not_hinder_the_photo() -> None:
    film = b"\0\0\0\x18ftypmp42" + b"a film may hold \xff\xda by chance" * 200

    found = look("phone", file_of(seven(), "JPEG") + film, Framing.MNIST)

    assert isinstance(found, Picture)
