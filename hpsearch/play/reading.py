"""Has one model or two read what was drawn or photographed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hpsearch.predict.sights import Box, Picture, Unread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.polarity import Polarity
    from hpsearch.predict.framing import Framing

FIRST = 5  # classes that are shown of each answer


class Model(Protocol):
    """A model that answers, as `predict.answerer` has it."""

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102  # named by what they are
    @property
    def shape(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def framing(self) -> "Framing": ...  # noqa: D102
    @property
    def polarity(self) -> "Polarity": ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102

    def probabilities(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """Those of every class, rows × classes, for raw images, rows × height × width."""

    def unlike(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """How unlike the training data they are; above 1 they are."""


class Look(Protocol):
    """Finds the characters in a picture, as `predict.looking.look` does."""

    def __call__(
        self,
        name: str,
        source: bytes,
        framing: "Framing",
        shape: tuple[int, int],
        polarity: "Polarity",
        *,
        one: bool,
    ) -> Picture | Unread:
        """Give the characters with the images that a model sees, or say why there are none."""


@dataclass(frozen=True)
class Guess:
    """What a model makes of one character: the image it sees, its likeliest classes, whether it knows such images."""

    image: "NDArray[np.uint8]"
    likeliest: tuple[tuple[str, float], ...]
    unlike: bool


@dataclass(frozen=True)
class Reading:
    """What was found in a picture (width × height), and for each character a guess of each model."""

    size: tuple[int, int]
    boxes: tuple[Box, ...]
    guesses: tuple[tuple[Guess, ...], ...]


@dataclass(frozen=True)
class Readers:
    """The models of the page, and how they look at a picture."""

    models: tuple[Model, ...]
    look: Look

    def read(self, name: str, source: bytes, *, one: bool) -> Reading | Unread:
        """Find the characters (or the `one`) and have each model guess them; raise HpsearchError when a model died."""
        pictures: list[Picture] = []
        for model in self.models:
            seen = self.look(name, source, model.framing, model.shape, model.polarity, one=one)
            if isinstance(seen, Unread):
                return seen
            pictures.append(seen)
        columns = [_guesses(model, picture) for model, picture in zip(self.models, pictures, strict=True)]
        boxes = tuple(character.box for character in pictures[0].characters)
        return Reading(pictures[0].size, boxes, tuple(zip(*columns, strict=True)))


def _guesses(model: Model, picture: Picture) -> Sequence[Guess]:
    import numpy as np

    if not picture.characters:
        return ()
    images = np.stack([character.image for character in picture.characters])
    probabilities, unlike = model.probabilities(images), model.unlike(images)
    return [
        Guess(image, _likeliest(model.class_names, row), bool(far > 1))
        for image, row, far in zip(images, probabilities, unlike, strict=True)
    ]


def _likeliest(names: tuple[str, ...], row: "NDArray[np.float32]") -> tuple[tuple[str, float], ...]:
    return tuple((names[place], float(row[place])) for place in row.argsort()[::-1][:FIRST])
