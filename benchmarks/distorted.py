"""Draws a digit onto a page and distorts the page in one way, by how much: what a pen, a camera or a file does."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Plane = NDArray[np.float32]

FINE = 8  # digits are drawn eight times as large as they are stored, smooth; then the page is scaled
EDGE = 4  # more pixels around the 28 × 28, for thick pens and turned digits
RIDGE = -0.2  # of the Laplacian, which is near 0 on a slope and -1 on a ridge
HALF, WHITE = 0.5, 255


@dataclass(frozen=True)
class Page:
    """How a digit is drawn: an ordinary page, unless one thing is different."""

    height: int = 112  # pixels of the square that has the digit's 28 × 28
    margin: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.4)  # left, above, right, below, of the height
    pen: float | None = None  # the width of all strokes, in pixels of 28; None: as they are
    turned: float = 0.0  # degrees
    paper: float = 225.0
    ink: float = 50.0
    shade: float = 0.0  # by which share the light falls off from one corner to the other
    shadow: float = 0.0  # by which share it is darker on one side of an edge across the digit
    noise: float = 0.0  # grey levels
    blur: float = 0.0  # pixels of 28
    quality: int | None = None  # of a JPEG

    def draw(self, digit: NDArray[np.uint8], random: np.random.Generator) -> bytes:
        """The page with this digit (uint8, 28 × 28) as the bytes of a PNG or a JPEG."""
        ink = _placed(self, _drawn(self, digit))
        grey = (self.paper + (self.ink - self.paper) * ink) * _light(self, ink.shape)
        grey += random.normal(0, self.noise, grey.shape) if self.noise else 0
        content = io.BytesIO()
        picture = Image.fromarray(np.clip(np.round(grey), 0, WHITE).astype(np.uint8))
        if self.quality is None:
            picture.save(content, "PNG", compress_level=1)
        else:
            picture.save(content, "JPEG", quality=self.quality)
        return content.getvalue()


def _drawn(page: Page, digit: NDArray[np.uint8]) -> Plane:
    """How much ink there is, 0 … 1, in a square of the page's height and a little more."""
    inside = ndimage.zoom(np.pad(digit, EDGE).astype(np.float32) / WHITE, FINE, order=3) > HALF
    if page.pen is None:
        smooth = ndimage.gaussian_filter(inside.astype(np.float32), 1)
    else:
        away = ndimage.distance_transform_edt(~_skeleton(inside))
        smooth = np.clip(page.pen * FINE / 2 + HALF - away, 0, 1).astype(np.float32)
    if page.turned:
        smooth = ndimage.rotate(smooth, page.turned, reshape=False, order=1)
    if page.blur:
        smooth = ndimage.gaussian_filter(smooth, page.blur * FINE)
    side = round(page.height * smooth.shape[0] / (28 * FINE))
    return np.asarray(Image.fromarray(smooth).resize((side, side), Image.Resampling.BOX))


def _skeleton(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The middle lines of strokes: the ridges of the distance to their edge."""
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1)
    return np.asarray(inside & (ndimage.laplace(depth) < RIDGE))


def _placed(page: Page, ink: Plane) -> Plane:
    """The ink with its own box's margins of paper."""
    rows, columns = np.nonzero(ink > HALF / 2)
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    left, above, right, below = (round(share * page.height) for share in page.margin)
    return np.pad(ink, ((above, below), (left, right)))


def _light(page: Page, shape: tuple[int, ...]) -> Plane:
    down, right = np.meshgrid(*(np.linspace(0, 1, side) for side in shape), indexing="ij")
    falling = 1 - page.shade * (down + right) / 2
    edge = ndimage.gaussian_filter((right + down / 3 > 2 / 3).astype(float), max(shape) / 40)
    return np.asarray(falling * (1 - page.shadow * edge), np.float32)
