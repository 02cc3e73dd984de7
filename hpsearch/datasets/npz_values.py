"""Turns the arrays of an archive into images and labels, or says which values are neither.

Images are uint8, taken as they are; truth values (False is 0, True is 255); other numbers if each is whole and from
0 to 255; or fractions from 0 to 1 if each is a 255th, as `x / 255` makes them. Nothing is rounded in silence.
"""

import math
from typing import TYPE_CHECKING, Any

from hpsearch.datasets import npz_format
from hpsearch.datasets.faults import FIRST, Faults
from hpsearch.datasets.npz_format import Member
from hpsearch.datasets.own import HIGHEST_LABEL, as_square
from hpsearch.errors import DataRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from hpsearch.datasets.content import Images, Labels

HIGHEST = 255
MOST_PIXELS = 1 << 24
COLOURS = (2, 3, 4)
COLOURED = "holds colour images; hpsearch trains on grey ones"
MEND = "images are whole numbers from 0 to 255, or those divided by 255; labels are class numbers, from 0"
GREY = "turn them grey: of values from 0 to 255, save (x[..., :3] @ [0.299, 0.587, 0.114]).round().astype('uint8')"
ROUND = "nothing is rounded unasked: of numbers from 0 to 1, save (x * 255).round().astype('uint8')"


def height_width(images: Member, size: tuple[int, int] | None) -> tuple[int, int]:
    """The height and width of each image of an array; raise DataRefused unless it is a stack of grey images."""
    if math.prod(images.shape[1:]) > MOST_PIXELS:
        message = f"{images}: holds more than {MOST_PIXELS:,} pixels an image\n  name the right arrays with data.train"
        raise DataRefused(message)
    match images.shape:
        case (_, height, width) | (_, height, width, 1) | (_, 1, height, width) if size in {None, (height, width)}:
            return height, width
        case (_, pixels):
            return as_square(pixels, size, str(images))
        case (_, _, _, channels) if channels in COLOURS:
            what = f"{COLOURED}\n  {GREY}"
        case (_, channels, _, width) if channels in COLOURS and width > 1:
            what = f"{COLOURED}\n  bring the colours to the end, x = numpy.moveaxis(x, 1, -1), and {GREY}"
        case (_, 1, height, width) | (_, height, width, *_) if size:
            what = f"its images are {height} × {width}, data.size says {size[0]} × {size[1]}\n  mend data.size"
        case _:
            axes = " × ".join(f"{length:,}" for length in images.shape) or "a single value"
            what = f"is {axes}, not rows × height × width\n  name the right arrays with data.train and data.test"
    message = f"{images}: {what}"
    raise DataRefused(message)


def pixels(images: Member, shape: tuple[int, int]) -> "Iterator[Images]":
    """The images of an array as uint8, some rows at a time (rows × height × width); raise DataRefused with places."""
    import numpy as np

    factor, row = _factor(images), 0
    for block in npz_format.blocks(images):
        sound = block if block.dtype == np.uint8 else _whole(images, block, row, factor, HIGHEST).astype(np.uint8)
        row += len(block)
        yield sound.reshape(-1, *shape)


def class_numbers(labels: Member) -> "Labels":
    """The labels of an array (rows, or rows × 1) as int64; raise DataRefused with the places of others."""
    import numpy as np

    if len(labels.shape) not in {1, 2} or labels.shape[1:] not in {(), (1,)}:
        axes = " × ".join(f"{length:,}" for length in labels.shape) or "a single value"
        message = f"{labels}: is {axes}, not one class number a row\n  save class numbers, as numpy.argmax gives them"
        raise DataRefused(message)
    parts, row = [np.empty(0, np.int64)], 0
    for block in npz_format.blocks(labels):
        parts.append(_whole(labels, block, row, 1, HIGHEST_LABEL).astype(np.int64).reshape(-1))
        row += len(block)
    return np.concatenate(parts)


def _factor(images: Member) -> int:
    """What the values must be multiplied with: 255 for truth values, and for fractions where none is above 1."""
    if images.dtype.kind == "b":
        return HIGHEST
    if images.dtype.kind != "f":
        return 1
    highest = max((block.max(initial=0) for block in npz_format.blocks(images)), default=0)
    return HIGHEST if highest <= 1 else 1  # NaN is not, and is found as a fault


def _whole(found: Member, block: "np.ndarray[Any, Any]", row: int, factor: int, highest: int) -> "np.ndarray[Any, Any]":
    """The values times the factor, if that makes them whole numbers; `row` is the number of the block's first."""
    import numpy as np

    # A 255th lies half a last place off where it was rounded to the type, a whole one where it was multiplied in it.
    slack = highest * float(np.finfo(block.dtype).eps) if factor > 1 and block.dtype.kind == "f" else 0
    scaled = block.astype(np.float64) * factor
    rounded: np.ndarray[Any, Any] = np.rint(scaled)
    with np.errstate(invalid="ignore"):  # infinity from infinity, which is found to be wrong
        wrong = ~((np.abs(scaled - rounded) <= slack) & (rounded >= 0) & (rounded <= highest))
    if wrong.any():
        what = "is no 255th from 0 to 1" if factor > 1 else f"is not whole and from 0 to {highest}"
        faults = Faults(str(found), ROUND if factor > 1 else MEND)
        for place in zip(*np.unravel_index(np.flatnonzero(wrong)[:FIRST], block.shape), strict=True):
            first, *rest = map(int, place)
            faults.add(f"{found.name}[{', '.join(map(str, [row + first, *rest]))}]", f"{block[place]} {what}")
        faults.refuse()
    return rounded
