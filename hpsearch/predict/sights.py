"""What is seen in a picture: its characters, each with the image that a model is shown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Character:
    """One character: its box (left, top, right, bottom in pixels of the upright picture) and its raw image.

    `image` is uint8, height × width, upright, with bright ink on dark or dark on bright, as the training images are;
    `line` says on which line of the picture it stands, 0 for the topmost.
    """

    box: Box
    image: "NDArray[np.uint8]"
    line: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture that was read: its size (width, height, upright) and its characters in reading order."""

    name: str
    size: tuple[int, int]
    characters: tuple[Character, ...]
    dark_on_light: bool


@dataclass(frozen=True)
class Unread:
    """A picture that could not be read, and why, in one line."""

    name: str
    why: str
