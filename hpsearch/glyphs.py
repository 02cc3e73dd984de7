"""Knows the signs of the font that all pictures are lettered in: matplotlib's own, which every machine has alike."""

from functools import cache
from pathlib import Path


def font_file() -> Path:
    """DejaVu Sans, as matplotlib brings it."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def drawable(text: str) -> str:
    """The text with each sign that the font lacks, such as an emoji, as its code point: "U+1F642"."""
    return "".join(sign if ord(sign) in _known() else f"U+{ord(sign):04X}" for sign in text)


@cache
def _known() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_file())).get_charmap())
