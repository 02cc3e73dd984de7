"""Draws learning curves and confusion matrices as SVG that stands inside a page; text in it is escaped."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from hpsearch.report.facts import Point, TrialFacts

WIDTH, HEIGHT = 720.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 12.0, 34.0
MOST_CURVES = 300
TICKS = 5
CELL_ROOM = 620.0  # what the matrix itself may take of its picture's width
MOST_NUMBERED = 15  # classes, above which counts in the cells can no longer be read


def curves(trials: Sequence[TrialFacts], metric: str, best: int | None) -> str:
    """One line a trial for one metric over the epochs, the best on top; "" when no trial has two epochs of it."""
    found = {trial.number: _finite(trial.curves.get(metric, [])) for trial in trials[:MOST_CURVES]}
    lines = {number: points for number, points in found.items() if len(points) > 1}
    if not lines:
        return ""
    values = [value for points in lines.values() for _, value in points]
    scale = _Scale(max(epoch for points in lines.values() for epoch, _ in points), min(values), max(values))
    statuses = {trial.number: trial.status for trial in trials}
    ordered = sorted(lines, key=lambda number: number == best)
    drawn = [_line(scale, number, lines[number], "best" if number == best else statuses[number]) for number in ordered]
    label = escape(f"{metric} over the epochs, one line a trial", {'"': "&quot;"})
    head = f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{label}">'
    return f"{head}{_frame(scale)}{''.join(drawn)}</svg>"


class _Scale:
    """Turns epochs and values into places of the picture."""

    def __init__(self, epochs: int, low: float, high: float) -> None:
        room = (high - low) * 0.04 or abs(high) * 0.04 or 0.5
        self.epochs, self.low, self.high = epochs, low - room, high + room

    def x(self, epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(1, self.epochs - 1)

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(epoch, value) for epoch, value in points if math.isfinite(value)]


def _frame(scale: _Scale) -> str:
    parts = []
    for tick in range(TICKS):
        value = scale.low + (scale.high - scale.low) * tick / (TICKS - 1)
        y = scale.y(value)
        line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        parts += [line, f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>']
    for epoch in range(1, scale.epochs + 1, max(1, math.ceil(scale.epochs / 10))):
        place = f'x="{scale.x(epoch):.1f}" y="{HEIGHT - 14}"'
        parts += [f'<text class="tick" {place} text-anchor="middle">{epoch}</text>']
    return "".join(parts)


def _line(scale: _Scale, number: int, points: Sequence[Point], kind: str) -> str:
    path = " ".join(f"{scale.x(epoch):.1f},{scale.y(value):.1f}" for epoch, value in points)
    return f'<polyline class="{escape(kind)}" points="{path}"><title>trial {number}</title></polyline>'


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """True classes in rows, predicted ones in columns; the darker a cell, the larger its share of the row."""
    cell = min(44.0, CELL_ROOM / max(1, len(names)))
    left = 12 + 7.0 * min(14, max(map(len, names), default=1))
    room = cell * len(names)
    head = f'<svg class="matrix" viewBox="0 0 {left + room + 4:.0f} {left + room + 4:.0f}" role="img"'
    parts = [f'{head} aria-label="confusion matrix">']
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            title = f"{names[row]} read as {names[column]}: {count}"
            place = (left + column * cell, left + row * cell, cell)
            parts.append(_cell(place, count / max(1, sum(line)), title) if count else "")
            if count and len(names) <= MOST_NUMBERED:
                parts.append(_number(place, count, count / sum(line)))
        parts.append(_names(left, left + (row + 0.5) * cell, names[row], min(12.0, cell * 0.9)))
    parts.append(f'<rect x="{left}" y="{left}" width="{room:.1f}" height="{room:.1f}" class="frame"/></svg>')
    return "".join(parts)


def _cell(place: tuple[float, float, float], share: float, title: str) -> str:
    x, y, side = place
    corner = f'x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}"'
    shade = math.sqrt(share)  # the root lifts rare confusions into sight
    return f'<rect class="cell" {corner} fill-opacity="{shade:.3f}"><title>{escape(title)}</title></rect>'


def _number(place: tuple[float, float, float], count: int, share: float) -> str:
    x, y, side = place
    light = ' fill="#fff"' if share > 0.4 else ""  # noqa: PLR2004  # where the cell turns dark
    middle = f'x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}"'
    return f'<text {middle} font-size="12" text-anchor="middle"{light}>{count}</text>'


def _names(left: float, middle: float, name: str, size: float) -> str:
    """The class's name beside its row and, turned, above its column."""
    short, foot = escape(name[:14]), middle + size / 3
    row = f'<text x="{left - 5:.1f}" y="{foot:.1f}" font-size="{size:.1f}" text-anchor="end">{short}</text>'
    turn = f"translate({foot:.1f} {left - 5:.1f}) rotate(-90)"
    return f'{row}<text transform="{turn}" font-size="{size:.1f}">{short}</text>'
