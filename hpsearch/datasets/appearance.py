"""Warns of images that are hard to learn from, or whose model could read no pictures, as they are prepared."""

from hpsearch.datasets.prepared import load
from hpsearch.polarity import WHITE, Polarity, polarity_of
from hpsearch.protocols import Prepared

FAINTEST = 32  # grey values between the darkest and the brightest pixel of all: hardly seen, if they are less
LOOKED_AT = 2000  # images


def heed(prepared: Prepared, *, invert: bool | None) -> str:
    """A warning that one should hear before training on these images, or ""; `invert` is data.invert, None if no key.

    A dense network learns slowly where most inputs are near 1, as those of white paper are: its first layer's gradient
    has nearly one direction for all images then. Batch normalisation takes that out.
    """
    images = load(prepared.folder, "train")[0]
    some = images[:: max(1, len(images) // LOOKED_AT)]
    low, high = int(some.min()), int(some.max())
    if high - low < FAINTEST:
        return (
            f"warning: the images of {prepared.name} have values from {low} to {high}; black is 0, white is {WHITE}"
            "\n  bring them to the whole range: so are the pictures that predict and play show to the model"
        )
    if invert is None or some.mean() < WHITE / 2 or polarity_of(images) is Polarity.BRIGHT_ON_DARK:
        return ""
    if invert:
        return "warning: data.invert = true makes dark ink on bright of these images\n  leave it out"
    return (
        "warning: the images show dark ink on bright: dense networks without batch normalisation learn slowly from them"
        "\n  data.invert = true makes them bright on dark; predict, play and export know of it"
    )
