"""Looks at one picture: finds its characters, and makes of each the image that a model was trained on."""

from pathlib import Path

from hpsearch.datasets.pictures import NotRead
from hpsearch.errors import PictureRefused
from hpsearch.polarity import Polarity
from hpsearch.predict.framing import Framing, frame
from hpsearch.predict.pictures import open_sheet
from hpsearch.predict.sights import Box, Character, Picture, Unread


def look(
    name: str,
    source: Path | bytes,
    framing: Framing,
    shape: tuple[int, int] = (28, 28),
    polarity: Polarity = Polarity.BRIGHT_ON_DARK,
    *,
    one: bool = False,
) -> Picture | Unread:
    """The characters of a picture, in reading order, each framed and inked for a model; or why it cannot be read.

    With `one` the whole picture is one character, whatever gaps it has.
    """
    from hpsearch.predict.characters import find_characters
    from hpsearch.predict.ink import find_ink

    try:
        sheet = open_sheet(name, source)
        ink = find_ink(sheet.grey)
        marks = find_characters(ink, one=one)
    except PictureRefused as refused:
        return Unread(name, refused.why)
    except NotRead as reason:
        return Unread(name, str(reason))
    scale = sheet.size[0] / sheet.grey.shape[1]
    characters = tuple(
        Character(_scaled(mark.box, scale), polarity.turned(frame(mark.ink, framing, shape)), mark.line)
        for mark in marks
    )
    return Picture(name, sheet.size, characters, ink.dark_on_light)


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(side * scale) for side in box)
    return left, top, right, bottom
