"""Draws learning curves as a PNG file: a panel for each metric, in which folds and repeats are lines."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpsearch.natural import natural
from hpsearch.trackers.pictures import new_figure, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Sequence[tuple[int, float]]
PART = re.compile(r"(?:repeat_\d+\.)?(?:fold_\d+\.)?")  # of a metric's name, as `fits.part` writes it
MOST_NAMED = 20  # parts, above which nobody tells their colours apart
NAMED_IN_A_ROW = 5
Style = Literal["-", "--"]


def draw_curves(curves: Mapping[str, Curve], file: Path) -> None:
    """Draw metrics over the epochs; points are (epoch, value).

    "loss", "val_loss" and those of the folds ("fold_3.loss", "repeat_1.fold_3.val_loss") share one panel.
    """
    panels: dict[str, dict[tuple[str, str], Curve]] = {}
    for name, curve in sorted(curves.items(), key=lambda entry: natural(entry[0])):
        part, metric = _parted(name)
        panels.setdefault(metric.removeprefix("val_"), {})[part, metric] = curve
    parts = list(dict.fromkeys(part for lines in panels.values() for part, _ in lines))
    rows, columns = -(-len(panels) // 2) or 1, min(2, len(panels) or 1)
    named = len(parts) if 1 < len(parts) <= MOST_NAMED else 0
    figure = new_figure(5.2 * columns, 3.4 * rows + 0.25 * -(-named // NAMED_IN_A_ROW))
    colours = _colours(parts)
    for place, (title, lines) in enumerate(panels.items(), start=1):
        _draw(figure.add_subplot(rows, columns, place), title, lines, colours)
    if named:
        _name_parts(figure, colours)
    save(figure, file)


def _parted(name: str) -> tuple[str, str]:
    """The fold and repeat that a metric is of, "" without any, and its own name."""
    end = len(PART.match(name)[0])  # type: ignore[index]  # it matches nothing, too
    return name[:end].rstrip("."), name[end:]


def _colours(parts: Sequence[str]) -> Mapping[str, Any]:
    """One for each: colours that are told apart, or where they are many, those of a scale in their order."""
    from matplotlib import colormaps

    if len(parts) <= colormaps["tab10"].N:
        return {part: colormaps["tab10"](place) for place, part in enumerate(parts)}
    return {part: colormaps["viridis"](0.95 * place / (len(parts) - 1)) for place, part in enumerate(parts)}


def _draw(axes: "Axes", title: str, lines: Mapping[tuple[str, str], Curve], colours: Mapping[str, Any]) -> None:
    """One part has a colour a line, several have a colour each; training is dashed beside its validation."""
    from matplotlib.lines import Line2D

    alone, metrics = len(colours) == 1, dict.fromkeys(metric for _, metric in lines)
    styles: dict[str, Style] = {name: "--" if name == title and len(metrics) > 1 else "-" for name in metrics}
    for (part, metric), curve in lines.items():
        epochs, values = zip(*curve, strict=True)
        look: dict[str, Any] = {"linewidth": 1.8} if alone else {"linewidth": 1.3, "color": colours[part]}
        look |= {"marker": "o", "markersize": 4} if len(curve) == 1 else {}  # a point is no line
        axes.plot(epochs, values, linestyle=styles[metric], label=plain(metric), **look)
    axes.set(title=plain(title), xlabel="epoch")
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, alpha=0.25)
    grey = [Line2D([], [], color="#444", linestyle=style, label=plain(metric)) for metric, style in styles.items()]
    axes.legend(handles=axes.get_lines() if alone else grey, frameon=False)


def _name_parts(figure: "Figure", colours: Mapping[str, Any]) -> None:
    from matplotlib.lines import Line2D

    named = {part: re.sub(r"[_.]", lambda sign: " " if sign[0] == "_" else ", ", part) for part in colours}
    lines = [Line2D([], [], color=colour, label=named[part]) for part, colour in colours.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(NAMED_IN_A_ROW, len(lines)), frameon=False)
