"""Draws confusion matrices as PNG files, by matplotlib's object API."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch import files, glyphs, words
from hpsearch.class_report import worst_pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 130
MOST_NUMBERED = 15  # classes, above which counts in the cells can no longer be read
LONGEST = 14  # signs of a class name


def draw_confusion(counts: Sequence[Sequence[int]], names: Sequence[str], file: Path) -> None:
    """Draw true classes in rows and predicted ones in columns, each row as shares; the worst pairs stand beside it."""
    import numpy as np

    table = np.asarray(counts, dtype="float64")
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = 5.5 if len(names) <= MOST_NUMBERED else 9.0
    figure = new_figure(side + 3.0, side)
    axes, beside = figure.subplots(1, 2, width_ratios=(side, 2.2))
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # the root lifts rare confusions into sight
    _name_axes(axes, names)
    if len(names) <= MOST_NUMBERED:
        for row, column in np.ndindex(table.shape):
            colour = "white" if shares[row, column] > 0.4 else "#334"  # noqa: PLR2004  # where the blue turns dark
            axes.text(column, row, f"{table[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    beside.axis("off")
    short = [_short(name) for name in names]
    lines = [f"{short[row]} read as {short[column]}: {count}" for row, column, count in worst_pairs(counts)]
    beside.text(0, 1, "\n".join(["most often confused", "", *(lines or ["nothing"])]), va="top", fontsize=9)
    save(figure, file)


def _name_axes(axes: "Axes", names: Sequence[str]) -> None:
    places, short = range(len(names)), [_short(name) for name in names]
    size = 9 if len(names) <= MOST_NUMBERED else 7
    turned = 90 if max(map(len, short), default=0) > 2 else 0  # noqa: PLR2004  # longer names overlap side by side
    axes.set_xticks(places, short, fontsize=size, rotation=turned)
    axes.set_yticks(places, short, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of this size, in inches."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells of its cache
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=DPI)


def save(figure: "Figure", file: Path) -> None:
    """Write it as a PNG file."""
    files.write(file, lambda temporary: figure.savefig(temporary, format="png"))


def _short(name: str) -> str:
    drawn = glyphs.drawable(name)
    return plain(words.shortened(drawn, LONGEST))


def plain(text: str) -> str:
    """The text without signs that a font cannot draw, and with dollars that are not mathematics."""
    return "".join(sign if sign.isprintable() else "?" for sign in text).replace("$", r"\$")
