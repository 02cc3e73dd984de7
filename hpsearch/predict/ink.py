"""Tells ink from paper, in whatever light: how much ink there is at each pixel, and whether it is dark on light."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from hpsearch.datasets.pictures import NotRead
from hpsearch.predict.strokes import pen

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]

THUMB, COARSE = 64, 320  # pixels of the longest side at which the light, and the paper, are looked for
ROUNDS = 15  # of re-weighting; the surface moves no more then
SEEN = 5.0  # times the noise: Rose (1948) needs as much to tell an object from noise
NOISE = 4.0  # times the noise: one pixel of 30,000 of bare paper is beyond
FAINTEST = 0.06  # of the paper's brightness; less is the texture of paper
NORMAL = 1.4826  # of the distance from the median to a quartile, to a standard deviation
PAPER_SPAN = 4.0  # stroke widths; a shadow wider than that is taken for paper
EVEN = 0.5  # the skewness of two tones that have 38 and 62 % of the picture
TINY = 1e-6
FAINT = 0.03  # of the ink's level; less is left out of the soft edges of strokes
WHITE = 255
LARGE = 800  # pixels of the longest side
HALF = 0.5  # a blurred edge lies where half of the contrast is reached
BLURS = (0.0, 0.5, 1.0, 2.0)  # pixels, more in a picture that is larger than LARGE


@dataclass(frozen=True)
class Ink:
    """How much ink there is (float32, 0 … 1, height × width), and where it is drawn (bool)."""

    strength: Plane
    drawn: NDArray[np.bool_]
    dark_on_light: bool


def find_ink(grey: Grey) -> Ink:
    """The ink of a picture (uint8, height × width); raise NotRead where there is none."""
    dark_on_light = is_dark_on_light(grey)
    light = grey.astype(np.float32) if dark_on_light else WHITE - grey.astype(np.float32)
    for blur in BLURS:
        sigma = blur * max(1, max(grey.shape) / LARGE)
        found = _ink(ndimage.gaussian_filter(light, sigma) if sigma else light)
        if found:
            return Ink(*found, dark_on_light)
    message = "nothing is written on it"
    raise NotRead(message)


def is_dark_on_light(grey: Grey) -> bool:
    """Whether the ink is darker than the paper, which is what most of the picture shows.

    Against the plane that fits most of the picture, the ink is the side that deviates by much in few pixels. Where
    that is even, as in a picture cut off close to a bold character, the rim has more of the paper than the middle.
    """
    small = _reduced(grey.astype(np.float32), THUMB)
    apart = small - _surface(small)
    apart -= apart.mean()
    skewness = float((apart**3).mean()) / max(float((apart**2).mean()) ** 1.5, TINY)
    if abs(skewness) >= EVEN:
        return bool(skewness < 0)
    rim = np.concatenate([apart[0], apart[-1], apart[:, 0], apart[:, -1]])
    return float(rim.mean()) >= 0


def _ink(light: Plane) -> tuple[Plane, NDArray[np.bool_]] | None:
    """How much ink there is, and where it is drawn; None if it does not stand out from the noise."""
    span = max(light.shape) / 3
    found = None
    for _ in range(2):  # the second time as the strokes' own width asks, so that shadows are no ink
        contrast, level, noise = _contrast(light, span)
        if level < max(SEEN * noise, FAINTEST):
            return None
        drawn = contrast > max(HALF * level, NOISE * noise)
        seen = contrast > max(FAINT * level, NOISE * noise)
        found = np.where(seen, np.clip(contrast / level, 0, 1), 0).astype(np.float32), drawn
        narrower = PAPER_SPAN * pen(drawn)
        if not narrower or narrower >= span:
            break
        span = narrower
    return found


def _contrast(light: Plane, span: float) -> tuple[Plane, float, float]:
    """How much darker than the paper each pixel is, as a share of it, with the ink's level and the paper's noise."""
    paper = _paper(light, span)
    contrast: Plane = ((paper - light) / np.maximum(paper, 1)).astype(np.float32)
    bare, level, noise = contrast[contrast < otsu(contrast.ravel())], 0.0, 0.0
    for _ in range(3):
        middle, darker = (float(found) for found in np.quantile(bare, (0.5, 0.75))) if bare.size else (0.0, 0.0)
        contrast = (contrast - middle).astype(np.float32)
        noise = NORMAL * (darker - middle)  # on the ink's side alone: bright paper may be as white as a file can say
        inked = contrast[contrast > max(NOISE * noise, FAINTEST)]
        if not inked.size:
            return contrast, 0.0, noise
        level = float(inked[inked >= otsu(inked)].mean())
        bare = contrast[contrast < HALF * level]
    return contrast, level, noise


def otsu(values: Plane) -> float:
    """The threshold that parts values best into two classes (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * centres)
    above = values.size - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + int(np.nanargmax(apart))]) if np.isfinite(apart).any() else float(values.min())


def _paper(light: Plane, span: float) -> Plane:
    """The paper's brightness everywhere: what is left when everything dark and narrower than `span` is filled in."""
    coarse = _reduced(light, COARSE)
    size = 1 + 2 * max(1, round(span * max(coarse.shape) / max(light.shape) / 2))
    closed = ndimage.gaussian_filter(ndimage.grey_closing(coarse, size=(size, size)), size / 6)
    return _resized(closed, light.shape)


def _surface(grey: Plane) -> Plane:
    """The plane that is nearest to most of the pixels (least absolute deviations); a bent one would follow the ink."""
    down, right = np.meshgrid(*(np.linspace(-1, 1, side) for side in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(down), down, right], -1).reshape(-1, 3)
    values, weights = grey.ravel(), np.ones(grey.size)
    fitted: NDArray[np.floating] = values
    for _ in range(ROUNDS):
        weighted = terms * weights[:, None]
        fitted = terms @ np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(values - fitted), 1)
    return cast("Plane", fitted.reshape(grey.shape))


def _reduced(plane: Plane, longest: int) -> Plane:
    factor = longest / max(plane.shape)
    if factor >= 1:
        return plane
    return _resized(plane, (max(1, round(plane.shape[0] * factor)), max(1, round(plane.shape[1] * factor))))


def _resized(plane: Plane, shape: tuple[int, ...]) -> Plane:
    """The plane with another height and width: pixels that come together are averaged, new ones lie between."""
    if plane.shape == shape:
        return plane
    return np.asarray(Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
