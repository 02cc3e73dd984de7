"""Makes of a character the image that a model was trained on, as the makers of its training images did.

MNIST (LeCun, Bottou, Bengio and Haffner 1998, section III.A): scaled into a box of 20 × 20 pixels, keeping its shape
and with smooth edges, then placed in 28 × 28 with its centre of mass in the middle. EMNIST (Cohen, Afshar, Tapson and
van Schaik 2017, section II.B): the black and white original of 128 × 128 is blurred by a Gaussian with sigma 1, its
region of interest is placed in the middle of a square with 2 pixels around it, and this is scaled to 28 × 28 by bicubic
interpolation, its range stretched to 0 … 255.
"""

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from hpsearch.polarity import Polarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 28  # pixels of both kinds of images; others are made in proportion
BOX = 20  # the longest side of a character in MNIST
# What a character's longest side takes in the 128 × 128 pixels of an EMNIST original: the paper does not say; with 45,
# MNIST's digits come out with the box sizes, stroke widths and grey values that EMNIST's have (40 and 50 do not).
ORIGINAL = 45
BLUR, BORDER = 1.0, 2
FINE = 4  # strokes are measured, and widened, at four times MNIST's resolution
MOST_FRAMED, LEAST_FRAMED = 300, 20  # images that are framed again to tell the two apart: fewer of large ones
MOST_PIXELS = MOST_FRAMED * 128 * 128  # that they have together, where so few do not have more
# The cosine between an image and what its recipe makes of it. Its median is 1.00 for MNIST, 0.93 for EMNIST; where
# characters fill the image it is 0.75, and a perceptron reads 78 % of what it is shown then instead of 94 %.
ALIKE = 0.85
FAINT, WHITE = 64, 255
# The 5 % quantile of the strokes' widths (`strokes.width`) in MNIST's training images, as a share of the longest side:
# 2.2 of 20 pixels. EMNIST's, before the blur, are the same. The strokes of a thinner pen are made as wide as that.
THINNEST = 0.109


class Framing(StrEnum):
    """By whose recipe training images were made."""

    MNIST = "mnist"
    EMNIST = "emnist"


def frame(
    ink: "NDArray[np.float32] | NDArray[np.uint8]", framing: Framing, shape: tuple[int, int] = (SIDE, SIDE)
) -> "NDArray[np.uint8]":
    """The image, uint8 of the shape (height, width), of a character's ink: 0 = none, 1 (or 255, if uint8) = full."""
    import numpy as np

    full = np.asarray(ink, np.float32) / np.float32(WHITE if ink.dtype == np.uint8 else 1)
    cropped = _cropped(full)
    if not cropped.size:
        return np.zeros(shape, np.uint8)
    thick = _thick_enough(cropped)
    scale = min(shape) / SIDE
    made = _as_mnist(thick, shape, scale) if framing is Framing.MNIST else _as_emnist(thick, shape, scale)
    return np.round(WHITE * made / max(float(made.max()), 1e-6)).astype(np.uint8)


def recipe_of(images: "NDArray[np.uint8]", polarity: Polarity = Polarity.BRIGHT_ON_DARK) -> tuple[Framing, bool]:
    """The recipe that makes of the characters in raw images (rows × height × width) most nearly these images again.

    And whether it does so: if not, it shows a model characters otherwise than this learnt them. Of 300 images at most,
    fewer of large ones, each by itself; without ink it is MNIST's.
    """
    import numpy as np

    most = min(MOST_FRAMED, max(LEAST_FRAMED, MOST_PIXELS // math.prod(images.shape[1:])))
    places = np.linspace(0, len(images) - 1, min(most, len(images))).astype(int)
    alike = [found for place in places if (found := _alike(polarity.turned(images[place])))]
    if not alike:
        return Framing.MNIST, True
    medians = {kind: np.median([found[kind] for found in alike]) for kind in Framing}
    nearest = max(Framing, key=medians.__getitem__)
    return nearest, bool(medians[nearest] >= ALIKE)


def _alike(image: "NDArray[np.uint8]") -> dict[Framing, float]:
    """How nearly each recipe makes an image with bright ink again; nothing of one without ink."""
    import numpy as np

    ink = np.where(image > FAINT, image, 0)
    return {kind: _cosine(ink, frame(ink, kind, ink.shape)) for kind in Framing} if ink.any() else {}


def _cosine(one: "NDArray[np.uint8]", other: "NDArray[np.uint8]") -> float:
    import numpy as np

    first, second = one.ravel().astype(float), other.ravel().astype(float)
    return float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1.0))


def _cropped(ink: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    rows, columns = np.nonzero(ink > 0)
    if not rows.size:
        return ink[:0]
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _scaled(ink: "NDArray[np.float32]", longest: int, filter_name: str) -> "NDArray[np.float32]":
    """The same with this longest side, its shape kept."""
    import numpy as np
    from PIL import Image

    factor = longest / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    scaled = Image.fromarray(ink).resize((width, height), Image.Resampling[filter_name])
    return np.clip(np.asarray(scaled, np.float32), np.float32(0), np.float32(1))


def _thick_enough(ink: "NDArray[np.float32]") -> "NDArray[np.float32]":
    from hpsearch.predict import strokes

    fine = _scaled(ink, FINE * BOX, "BICUBIC") * 2 > 1
    by = strokes.missing(strokes.width(fine), FINE * BOX, THINNEST)
    return _cropped(strokes.widened(fine, by)) if by and fine.any() else ink


def _as_mnist(ink: "NDArray[np.float32]", shape: tuple[int, int], scale: float) -> "NDArray[np.float32]":
    import numpy as np
    from scipy import ndimage

    small = _scaled(ink, max(1, round(BOX * scale)), "BICUBIC")
    offsets = []
    for side, own, mass in zip(shape, small.shape, ndimage.center_of_mass(small), strict=True):
        wanted = round(side / 2 - mass)  # to pixel 14 of 0 … 27: so all of 500 of MNIST's images are found again
        offsets.append(min(max(wanted, 0), side - own))
    made = np.zeros(shape, np.float32)
    top, left = offsets
    made[top : top + small.shape[0], left : left + small.shape[1]] = small
    return made


def _as_emnist(ink: "NDArray[np.float32]", shape: tuple[int, int], scale: float) -> "NDArray[np.float32]":
    import numpy as np
    from scipy import ndimage

    tail = round(3 * BLUR)  # as far as an 8-bit blur is seen
    blurred = ndimage.gaussian_filter(np.pad(_scaled(ink, ORIGINAL, "BOX"), tail), BLUR, mode="constant")
    side = max(blurred.shape) + 2 * BORDER
    square = np.zeros((side, side), np.float32)
    top, left = ((side - own) // 2 for own in blurred.shape)
    square[top : top + blurred.shape[0], left : left + blurred.shape[1]] = blurred
    small = _scaled(square, round(SIDE * scale), "BICUBIC")
    made = np.zeros(shape, np.float32)
    down, right = ((whole - own) // 2 for whole, own in zip(shape, small.shape, strict=True))
    made[down : down + small.shape[0], right : right + small.shape[1]] = small
    return made
