"""What a source hands over before it is stored: arrays, class names, and where they are from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hpsearch.polarity import WHITE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]
    Labels = NDArray[np.int64]

OWN = {"csv", "folder", "idx", "npz"}  # sources of one's own files: their names say nothing of what these are


@dataclass(frozen=True)
class Part:
    """One side of a data set: uint8 images (rows × height × width), int64 labels (rows), and their files' names.

    `inverted` says that the files have the images' negatives.
    """

    images: "Images"
    labels: "Labels"
    source: str
    inverted: bool = False


@dataclass(frozen=True)
class Content:
    """A data set in memory; a label is the position of its class in `class_names`."""

    name: str
    class_names: tuple[str, ...]
    train: Part
    test: Part
    test_from: Literal["official", "content-hash"]
    licence: str


@dataclass(frozen=True)
class About:
    """What a list of data sets says of one, unasked and unread; None where it depends on the user's files."""

    train_rows: int | None
    test_rows: int | None
    classes: int | None
    licence: str
    origin: str


def images_of(name: str) -> str:
    """The images of a data set, in words to whoever has it prepared."""
    return f"your images (data.source = {name})" if name in OWN else f"the images of {name}"


def negative(images: "Images", wish: bool | None) -> "Images":
    """The images (uint8) with dark and bright exchanged, if that is wished; else as they are."""
    return WHITE - images if wish else images


def per_class(labels: "Labels", classes: int) -> list[int]:
    """How many rows each class has; labels outside 0 … classes - 1 are not counted."""
    import numpy as np

    inside = labels[(labels >= 0) & (labels < classes)]
    return [int(count) for count in np.bincount(inside, minlength=classes)]
