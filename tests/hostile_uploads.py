"""Pictures that are made to harm who opens them, as bytes, and odd ones that are sound."""

import io

from PIL import Image, ImageDraw
from written import png


def written(kind, mode="L", **options):
    """A sound picture of a stroke."""
    sheet = Image.new("L", (120, 120), 255)
    ImageDraw.Draw(sheet).line([(60, 20), (60, 100)], fill=0, width=10)
    file = io.BytesIO()
    sheet.convert(mode).save(file, kind, **options)
    return file.getvalue()


def with_profile():
    """A JPEG whose colour profile says it is larger than it is."""
    return written("JPEG", icc_profile=b"\xff\xff\xff\xff" + b"ICC" * 20_000)


def frames(count):
    """A GIF of many pictures."""
    several = [Image.new("L", (50, 50), 255 - number % 2) for number in range(count)]
    file = io.BytesIO()
    several[0].save(file, "GIF", save_all=True, append_images=several[1:])
    return file.getvalue()


HARMFUL = {
    "a picture of 169 million pixels in 20 KB": lambda: png(13_000, 13_000, bytes(13_000) * 1300),
    "a film": lambda: frames(400),
    "SVG with a script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "comments with nothing behind": lambda: b"<!---->" * 250,
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "a GIF that is HTML, too": lambda: b"GIF89a/*<script>alert(1)</script>*/=1;",
    "no pixels": lambda: png(0, 0),
    "half a picture": lambda: written("PNG")[:100],
    "nothing": lambda: b"",
    "noise": lambda: bytes(range(256)) * 100,
    "text that says it is a picture": lambda: b"\x89PNG\r\n\x1a\n" + b"A" * 5000,
}
ODD_BUT_SOUND = {
    "16 bits": lambda: written("PNG", "I;16"),
    "CMYK": lambda: written("JPEG", "CMYK"),
    "turned by its camera": lambda: written(
        "JPEG",
        exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00",
    ),
    "a colour profile that lies": with_profile,
}
