"""Draws what a model saw of a picture: a box around each character, and beside it each image that it was shown.

A drawing lies among people's own pictures at times, and what a folder holds may be all they have of them: so each
bears a mark in its file, and only what bears it is written over.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch import files
from hpsearch.drawings import is_drawing, mark
from hpsearch.predict.pictures import open_picture
from hpsearch.predict.reading import Reading

if TYPE_CHECKING:
    from PIL import Image

LONGEST = 800  # pixels of the drawn picture
TILE, GAP = 112, 8  # pixels of a drawn character, and around it
ACROSS = 8  # characters in a row
BLUE, PAPER, INK = (30, 100, 220), (255, 255, 255), (40, 40, 40)


class Drawings:
    """A folder of drawings: that of `seven.png` is `seven.seen.png`."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; raise FolderUnusable when that cannot be."""
        self._folder, self._taken = files.make(folder), set[str]()

    def draw(self, reading: Reading, file: Path) -> Path:
        """Write the PNG of a picture; `file` is the picture's own."""
        target, drawing = self._target(Path(reading.picture.name).stem), _drawn(reading, file)

        def fill(temporary: Path) -> None:
            drawing.save(temporary, "PNG", pnginfo=mark())

        files.write(target, fill)
        return target

    def _target(self, stem: str) -> Path:
        """A file named as the picture; with a number, where one of its name was drawn, or something else has it."""
        safe = (
            "".join(sign if sign.isalnum() or sign in "-_. " else "_" for sign in stem).strip(". ")[:100] or "picture"
        )
        name, number = safe, 1
        while name.casefold() in self._taken or _is_anothers(self._folder / f"{name}.seen.png"):
            number += 1
            name = f"{safe}-{number}"
        self._taken.add(name.casefold())
        return self._folder / f"{name}.seen.png"


def _is_anothers(file: Path) -> bool:
    """Whether there is something, and it is no drawing of an earlier time."""
    return os.path.lexists(file) and not is_drawing(file)


def _drawn(reading: Reading, file: Path) -> "Image.Image":
    from PIL import Image

    left, right = _boxed(reading, file), _tiles(reading)
    whole = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), PAPER)
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + GAP, 0))
    return whole


def _boxed(reading: Reading, file: Path) -> "Image.Image":
    """The picture in grey with a box around each character."""
    from PIL import Image, ImageDraw

    grey = Image.fromarray(open_picture(reading.picture.name, file))
    grey.thumbnail((LONGEST, LONGEST))
    drawn = grey.convert("RGB")
    scale = drawn.width / reading.picture.size[0]
    pen = ImageDraw.Draw(drawn)
    for guess in reading.guesses:
        left, top, right, bottom = (side * scale for side in guess.box)
        pen.rectangle((left - 2, top - 2, max(left, right) + 1, max(top, bottom) + 1), outline=BLUE, width=2)
    return drawn


def _tiles(reading: Reading) -> "Image.Image":
    """Each character's image as the model was shown it, in its shape, with what it reads below."""
    from PIL import Image, ImageDraw

    characters, line = reading.picture.characters, TILE + 4 * GAP
    across = max(1, min(ACROSS, len(characters)))
    sheet = Image.new("RGB", (across * (TILE + GAP), -(-len(characters) // across) * line), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (character, guess) in enumerate(zip(characters, reading.guesses, strict=True)):
        left, top = place % across * (TILE + GAP), place // across * line
        height, width = (max(1, round(side * TILE / max(character.image.shape))) for side in character.image.shape)
        enlarged = Image.fromarray(character.image).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged.convert("RGB"), (left, top))
        name, share = guess.shown[0]
        words = f"{name}  {share:.1%}"
        pen.text((left, top + TILE + 2), words.encode("latin-1", "replace").decode("latin-1"), INK)
        if guess.doubts:
            pen.text((left, top + TILE + 14), guess.doubts[0].partition(" the ")[0], BLUE)
    return sheet
