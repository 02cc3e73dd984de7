"""Draws some images of each class side by side, to see what a data set is and whether it stands upright."""

from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch import files, glyphs
from hpsearch.datasets.prepared import load
from hpsearch.drawings import mark
from hpsearch.protocols import Prepared

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from hpsearch.datasets.content import Images

EACH = 10
MOST_CLASSES = 200
SIDE = 56  # pixels that an image takes, about
GAP, LETTER, LONGEST = 4, 16, 12
PAPER, INK = 128, 255


def draw(prepared: Prepared, file: Path) -> int:
    """Write a PNG with ten training images of each class, a line each; give the number of classes shown.

    Raises FolderUnusable.
    """
    import numpy as np

    images, labels = load(prepared.folder, "train")
    names = prepared.class_names[:MOST_CLASSES]
    lines = []
    for label in range(len(names)):
        rows = np.flatnonzero(labels == label)
        lines.append(images[rows[np.linspace(0, len(rows) - 1, min(EACH, len(rows))).astype(int)]])
    sheet = _sheet(names, lines, prepared.shape)
    files.write(file, lambda temporary: sheet.save(temporary, "PNG", pnginfo=mark()))
    return len(names)


def _sheet(names: tuple[str, ...], lines: "list[Images]", shape: tuple[int, ...]) -> "Image":
    from PIL import Image, ImageDraw, ImageFont

    height, width = (max(1, round(side * SIDE / max(shape))) for side in shape)
    step = max(height, LETTER) + GAP
    font = ImageFont.truetype(glyphs.font_file(), LETTER)
    words = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in map(glyphs.drawable, names)]
    margin = 3 * GAP + round(max(map(font.getlength, words)))
    sheet = Image.new("L", (margin + EACH * (width + GAP), GAP + len(names) * step), PAPER)
    pen = ImageDraw.Draw(sheet)
    for line, (word, images) in enumerate(zip(words, lines, strict=True)):
        top = GAP + line * step
        pen.text((GAP, top), word, INK, font)
        for place, image in enumerate(images):
            sheet.paste(_tile(image, height, width), (margin + place * (width + GAP), top))
    return sheet


def _tile(image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", height: int, width: int) -> "Image":
    from PIL import Image

    return Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
