"""Warns of images that are hard to learn from or to judge by, before anything is trained on them."""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Literal

from hpsearch.datasets.content import images_of
from hpsearch.datasets.prepared import PARTS, load
from hpsearch.polarity import WHITE, Polarity, polarity_of, spread
from hpsearch.protocols import Prepared

FAINTEST = 32  # grey values between the darkest and the brightest pixel of all: hardly seen, if they are less
FEW = 0.01  # of a part's images, which may be copies of others in it: MNIST and EMNIST have none


def heed(prepared: Prepared, *, invert: bool | None) -> Iterator[str]:
    """Give the warnings that one should hear before a study begins; `invert` is data.invert, None if it is no key."""
    yield from _copies(prepared)
    yield from _looks(prepared, invert=invert)


def _copies(prepared: Prepared) -> Iterator[str]:
    """Warn of images that are there twice, pixel by pixel: what was learnt by heart then passes for what is known."""
    train, test = (Counter(_digests(prepared, part)) for part in PARTS)
    if shared := sum(many for digest, many in test.items() if digest in train):
        yield (
            f"warning: {shared:,} of the {prepared.test_rows:,} test images are among the training images, too:"
            " the test figures will be too good\n  take them out of one of the two"
        )
    copies = prepared.train_rows - len(train)
    if copies > FEW * prepared.train_rows:
        yield (
            f"warning: {copies:,} of the {prepared.train_rows:,} training images are copies of others: some train while"
            " their twins validate, and validation scores will be too good\n  keep one of each"
        )
    copies = prepared.test_rows - len(test)
    if copies > FEW * prepared.test_rows:
        yield (
            f"warning: {copies:,} of the {prepared.test_rows:,} test images are copies of others: each counts as an"
            " image of its own, and intervals will be too narrow\n  keep one of each"
        )


def _digests(prepared: Prepared, part: Literal["train", "test"]) -> Iterator[bytes]:
    import numpy as np

    return (sha256(image).digest() for image in np.asarray(load(prepared.folder, part)[0]))


def _looks(prepared: Prepared, *, invert: bool | None) -> Iterator[str]:
    """Warn of images of nearly one grey, and of dark ink on bright.

    A dense network learns slowly where most inputs are near 1, as those of white paper are: its first layer's gradient
    has nearly one direction for all images then. Batch normalisation takes that out.
    """
    images = load(prepared.folder, "train")[0]
    some = spread(images)
    low, high = int(some.min()), int(some.max())
    if high - low < FAINTEST:
        yield (
            f"warning: {images_of(prepared.name)} have values from {low} to {high}; black is 0, white is {WHITE}"
            "\n  bring them to the whole range: so are the pictures that predict and play show to the model"
        )
    elif invert is None or some.mean() < WHITE / 2 or polarity_of(images) is Polarity.BRIGHT_ON_DARK:
        return
    elif invert:
        yield "warning: data.invert = true makes dark ink on bright of these images\n  leave it out"
    else:
        yield (
            "warning: the images show dark ink on bright: dense networks without batch normalisation learn slowly"
            " from them\n  data.invert = true makes them bright on dark; predict, play and export know of it"
        )
