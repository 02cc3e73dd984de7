"""Tells whether images show bright ink on dark, as MNIST's do, or dark ink on bright, as pictures of paper do."""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHITE = 255
MOST_LOOKED_AT = 2000  # images; the vote of so many is clear


class Polarity(StrEnum):
    """Which is the brighter one, ink or what it is on."""

    BRIGHT_ON_DARK = "bright on dark"
    DARK_ON_BRIGHT = "dark on bright"

    @property
    def words(self) -> str:
        """For people: "bright ink on dark"."""
        return self.replace(" ", " ink ", 1)

    @property
    def background(self) -> int:
        """The grey value of an image without ink."""
        return 0 if self is Polarity.BRIGHT_ON_DARK else WHITE

    def turned(self, images: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
        """Images (uint8, any shape) with bright ink on dark, made such; and back again."""
        return images if self is Polarity.BRIGHT_ON_DARK else WHITE - images


def polarity_of(images: "NDArray[np.uint8]") -> Polarity:
    """That of most raw images (uint8, rows × height × width), of 2,000 at most; bright on dark where none shows any.

    An image's border is background: it is dark or bright against the middle between its darkest and brightest pixel.
    """
    import numpy as np

    votes = sum(_vote(np.asarray(image)) for image in spread(images))
    return Polarity.DARK_ON_BRIGHT if votes > 0 else Polarity.BRIGHT_ON_DARK


def spread(images: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Images from all over, at even distances: 2,000 at most, and all where there are no more."""
    return images[:: max(1, -(-len(images) // MOST_LOOKED_AT))]


def _vote(image: "NDArray[np.uint8]") -> int:
    """1 where the border is bright, -1 where it is dark, 0 where it is neither."""
    import numpy as np

    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    middle = (float(image.min()) + float(image.max())) / 2
    return int(np.sign(float(np.median(border)) - middle))
