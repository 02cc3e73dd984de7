"""Finds the characters among the marks of a picture: dots and broken strokes are joined, dust is left out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hpsearch.datasets.pictures import NotRead
from hpsearch.predict.ink import Ink, Plane
from hpsearch.predict.lines import in_lines
from hpsearch.predict.sights import Box
from hpsearch.predict.strokes import pen

MOST_MARKS = 2000
LEAST = 5  # pixels of the longest side of a character; a smaller one can be no letter
SPECK = 0.5  # a mark smaller than a square of so many stroke widths is dust: the dot of an i is as wide as its pen
BROKEN = 1.0  # stroke widths; a narrower gap is one in a stroke
LITTLE = 0.6  # of the other's height: a dot, an accent or a bar belongs to what it stands above or below
NEAR = 0.6  # of the other's height: so far away may a dot be
HALF = 0.5
LONE = 0.25  # of the longest character; what is smaller and belongs to none is dust, or a full stop
WHOLE = 1 / 6  # of what the picture's rim cuts off; if so much of a character is whole, that is no character but a desk
SHARP = 40, 4.0  # pixels; larger characters become as black and white as scans are, up to so steep an edge


@dataclass(frozen=True)
class Mark:
    """The ink of one character alone (float32, 0 … 1, height × width of its box), its box, and which line it is on."""

    box: Box
    ink: Plane
    line: int = 0


def find_characters(ink: Ink, *, one: bool = False) -> list[Mark]:
    """The characters in reading order; raise NotRead if there are none, or too many to be writing.

    With `one` all that is no dust is one character.
    """
    wide = pen(ink.drawn)
    numbers, boxes = _marks(ink.drawn, wide)
    groups = _characters(boxes, ink.drawn.shape)
    if not groups:
        message = f"nothing is written on it that is {LEAST} pixels large"
        raise NotRead(message)
    groups = [[number for group in groups for number in group]] if one else groups
    marks = [_mark(ink, numbers, group, _around(boxes[group]), wide) for group in groups]
    lines = in_lines([mark.box for mark in marks])
    return [replace(marks[place], line=number) for number, line in enumerate(lines) for place in line]


def _marks(drawn: NDArray[np.bool_], wide: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The marks: the number of each pixel's, from 1 on, and their boxes; broken strokes are one, dust is none."""
    labels, _ = ndimage.label(drawn, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = (sizes >= (SPECK * wide) ** 2)[labels]
    gap = 1 + 2 * round(BROKEN * wide / 2)
    joined, count = ndimage.label(ndimage.maximum_filter(kept, gap), np.ones((3, 3)))
    if count > MOST_MARKS:
        message = f"{count:,} separate marks; that is no writing"
        raise NotRead(message)
    numbers = np.where(kept, joined, 0)
    places = [(across.start, down.start, across.stop, down.stop) for down, across in ndimage.find_objects(numbers)]
    return numbers, np.array(places, np.int64).reshape(-1, 4)


def _characters(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> list[list[int]]:
    """Which marks make a character each."""
    kept = _inside(boxes, shape)
    owner = {number: number for number in kept}
    for number in sorted(kept, key=lambda mark: boxes[mark, 3] - boxes[mark, 1]):  # little ones first
        partner = _partner(boxes, number, kept)
        if partner is not None:
            old, new = owner[number], owner[partner]
            owner = {mark: new if its == old else its for mark, its in owner.items()}
    groups = [[mark for mark in kept if owner[mark] == which] for which in dict.fromkeys(owner.values())]
    sides = [_longest(_around(boxes[group])) for group in groups]
    least = max([LEAST, *(LONE * side for side in sides)])
    return [group for group, side in zip(groups, sides, strict=True) if side >= least]


def _inside(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> list[int]:
    """All marks but those that the rim cuts off, if there are whole ones of a size."""
    height, width_ = shape
    cut = (boxes[:, 0] == 0) | (boxes[:, 1] == 0) | (boxes[:, 2] == width_) | (boxes[:, 3] == height)
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    whole = sides[~cut].max(initial=0)
    return [int(number) for number in np.flatnonzero(~cut | (whole < WHOLE * sides))]


def _partner(boxes: NDArray[np.int64], number: int, kept: list[int]) -> int | None:
    """The mark that this one is a dot, an accent, a bar or a part of: the nearest above or below it, or around it."""
    others = np.array([other for other in kept if other != number], np.int64)
    left, top, right, bottom = boxes[number]
    lefts, tops, rights, bottoms = boxes[others].T
    across = np.minimum(right, rights) - np.maximum(left, lefts)
    apart = np.maximum(top, tops) - np.minimum(bottom, bottoms)
    height, heights = bottom - top, bottoms - tops
    overlaps = across >= HALF * np.minimum(right - left, rights - lefts)
    little = (height <= LITTLE * heights) & (apart <= NEAR * heights)
    within = -apart >= HALF * np.minimum(height, heights)
    found = np.flatnonzero(overlaps & (heights >= height) & (little | within))
    return int(others[found[np.argmin(apart[found])]]) if found.size else None


def _around(boxes: NDArray[np.int64]) -> Box:
    left, top = boxes[:, :2].min(0).tolist()
    right, bottom = boxes[:, 2:].max(0).tolist()
    return left, top, right, bottom


def _longest(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def _mark(ink: Ink, numbers: NDArray[np.int32], group: list[int], box: Box, wide: float) -> Mark:
    """The character's ink alone, with the soft edges of its strokes."""
    soft = max(1, round(wide / 2))
    left, top = max(0, box[0] - soft), max(0, box[1] - soft)
    place = slice(top, box[3] + soft), slice(left, box[2] + soft)
    near = ndimage.maximum_filter(np.isin(numbers[place], [number + 1 for number in group]), 1 + 2 * soft)
    large, steepest = SHARP
    steep = min(max(_longest(box) / large, 1), steepest)
    sharp = np.clip(HALF + (ink.strength[place] - HALF) * steep, 0, 1)
    return Mark(box, np.where(near & (ink.strength[place] > 0), sharp, 0).astype(np.float32))
