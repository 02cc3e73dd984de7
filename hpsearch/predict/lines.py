"""Parts characters into lines of writing, which may all slope alike."""

from collections.abc import Sequence

import numpy as np

from hpsearch.predict.sights import Box

LEVEL = 0.25  # of the lower one's height: what shares so much of it with another stands on the same line
STEEP = 0.5  # down by so much of the way across; what lies steeper is below, not beside
FAR = 3.0  # usual heights; what is beside a character is no farther away
FEW = 3  # neighbours; fewer tell of no slope


def in_lines(boxes: Sequence[Box]) -> list[list[int]]:
    """The places of the boxes in reading order: line by line from the topmost, each from left to right.

    A box belongs to the line whose last one stands most at its height, once the page is turned so that it does not
    slope.
    """
    level = _levelled(boxes)
    lines: list[list[int]] = []
    for place in sorted(range(len(boxes)), key=lambda place: boxes[place][0]):
        shares = [_beside(level[line[-1]], level[place]) for line in lines]
        if shares and max(shares) >= LEVEL:
            lines[shares.index(max(shares))].append(place)
        else:
            lines.append([place])
    return sorted(lines, key=lambda line: sum(sum(level[place]) for place in line) / len(line))


def _levelled(boxes: Sequence[Box]) -> list[tuple[float, float]]:
    """The top and the bottom of each box on a page that does not slope."""
    slope = _slope(boxes)
    return [(top - drop, bottom - drop) for left, top, right, bottom in boxes for drop in [slope * (left + right) / 2]]


def _slope(boxes: Sequence[Box]) -> float:
    """By how much lines fall on their way across: the middle one of all ways to the nearest box on the right.

    So O'Gorman finds a page's skew (1993, IEEE Transactions on Pattern Analysis and Machine Intelligence 15:1162).
    """
    if len(boxes) < FEW:
        return 0.0
    lefts, tops, rights, bottoms = np.array(boxes, float).T
    across, down = (np.subtract.outer(middle, middle).T for middle in ((lefts + rights) / 2, (tops + bottoms) / 2))
    away = np.hypot(across, down)
    away[(across <= 0) | (abs(down) > STEEP * across) | (away > FAR * np.median(bottoms - tops))] = np.inf
    (some,) = np.isfinite(away).any(axis=1).nonzero()
    nearest = away[some].argmin(axis=1)
    return float(np.median(down[some, nearest] / across[some, nearest])) if len(some) >= FEW else 0.0


def _beside(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Which share of the lower of two boxes, given as top and bottom, stands at the other's height."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared / min(one[1] - one[0], other[1] - other[0])
