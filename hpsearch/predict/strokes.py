"""Measures how wide the strokes of a character are, and widens those of a thin pen."""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HALF = 0.5


def width(drawn: NDArray[np.bool_]) -> float:
    """The mean width of the strokes, in pixels; 0 where nothing is drawn.

    Across a stroke of width w the distance to its edge grows from 0 to w / 2 and falls again: its mean is w / 4.
    """
    if not drawn.any():
        return 0.0
    inside = ndimage.distance_transform_edt(np.pad(drawn, 1))
    return 4 * float(inside[inside > 0].mean())


def pen(drawn: NDArray[np.bool_]) -> float:
    """About the width of the strokes on a whole page, in pixels, at a tenth of the time of `width`.

    Whatever its width, a stroke loses a pixel on both sides when its rim goes.
    """
    padded = np.pad(drawn, 1)
    core = drawn & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    area = int(np.count_nonzero(drawn))
    return 2 * area / (area - int(np.count_nonzero(core))) if area else 0.0


def widened(drawn: NDArray[np.bool_], by: float) -> NDArray[np.float32]:
    """The character with `by` pixels more all around, with smooth edges, in an array that has grown by as much."""
    margin = int(np.ceil(by)) + 1
    outside = ndimage.distance_transform_edt(~np.pad(drawn, margin))
    return cast("NDArray[np.float32]", np.clip(by + HALF - outside + HALF, 0, 1).astype(np.float32))


def missing(thin: float, longest: int, wanted: float) -> float:
    """How much to widen strokes of width `thin`, all in pixels, to be `wanted`, a share of the longest side, after it.

    Widening makes the longest side grow, too.
    """
    return max(0.0, (wanted * longest - thin) / (2 * (1 - wanted)))
