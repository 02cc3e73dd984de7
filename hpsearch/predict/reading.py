"""What a model reads in a picture: each character's classes with their probabilities, and what to doubt."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from string import ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING

from hpsearch.predict.sights import Box, Character, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOSE = 0.2  # by so little may the most probable class lead
FAR = 1.0  # beyond it an image is unlike the training data
# A gap parts words that is wider than so much of the usual height and so many usual gaps, or than so many heights.
WORDS_APART, GAPS, HEIGHTS = 0.6, 1.8, 2.0
UNLIKE, CLOSE_CALL = "unlike the training data", "close call"
BOTH_FORMS = "CIJKLMOPSUVWXYZ"  # letters of which EMNIST balanced has one class for both forms (Cohen et al. 2017)
BALANCED = {*digits, *ascii_uppercase, *ascii_lowercase} - {*BOTH_FORMS.lower()}  # the names of its 47 classes


@dataclass(frozen=True)
class Guess:
    """What one character may be: class names with their probabilities, most probable first.

    `unlike` is its distance from the training images (above 1 as hardly any of them), None where that is not known.
    `line` says on which line of the picture it stands.
    """

    box: Box
    ranked: tuple[tuple[str, float], ...]
    unlike: float | None
    line: int = 0

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.ranked[0][0]

    @property
    def shown(self) -> tuple[tuple[str, float], ...]:
        """The classes as people are shown them: one for both forms of a letter, in EMNIST balanced, has both, "C/c"."""
        if {name for name, _ in self.ranked} != BALANCED:
            return self.ranked
        return tuple((f"{name}/{name.lower()}" if name in BOTH_FORMS else name, share) for name, share in self.ranked)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why not to believe it."""
        far = self.unlike is not None and self.unlike > FAR
        close = len(self.ranked) > 1 and self.ranked[0][1] - self.ranked[1][1] < CLOSE
        return (UNLIKE,) * far + (CLOSE_CALL,) * close


@dataclass(frozen=True)
class Reading:
    """A picture and what its characters may be, in reading order."""

    picture: Picture
    guesses: tuple[Guess, ...]

    @property
    def text(self) -> str:
        """The most probable characters, with spaces and line ends where the picture has them.

        Where the model has a class whose name is more than a sign, there is a space between any two.
        """
        if not self.guesses:
            return ""
        wide = _wide(self.guesses)
        apart = " " if any(len(name) > 1 for name, _ in self.guesses[0].ranked) else ""
        written = [self.guesses[0].name]
        for before, guess in pairwise(self.guesses):
            written.append((_between(before, guess, wide) or apart) + guess.name)
        return "".join(written)


def _wide(guesses: Sequence[Guess]) -> float:
    """How wide a gap between two characters parts words."""
    height = median(guess.box[3] - guess.box[1] for guess in guesses)
    gaps = [_gap(before, after) for before, after in pairwise(guesses) if before.line == after.line]
    return max(WORDS_APART * height, min(GAPS * median(gaps), HEIGHTS * height)) if gaps else 0.0


def _between(before: Guess, after: Guess, wide: float) -> str:
    if after.line != before.line:
        return "\n"
    return " " if _gap(before, after) > wide else ""


def _gap(before: Guess, after: Guess) -> int:
    return after.box[0] - before.box[2]


def readings(
    pictures: Sequence[Picture],
    probabilities: "NDArray[np.float32]",
    unlike: "NDArray[np.float32]",
    names: Sequence[str],
) -> list[Reading]:
    """Put answers (rows × classes, and rows) to the characters of pictures, in their order; raise if they don't fit."""
    rows = zip(probabilities.tolist(), unlike.tolist(), strict=True)
    found = [
        Reading(picture, tuple(_guess(character, *next(rows), names) for character in picture.characters))
        for picture in pictures
    ]
    if next(rows, None) is not None:
        message = "there are more answers than characters"
        raise ValueError(message)
    return found


def _guess(character: Character, probabilities: list[float], unlike: float, names: Sequence[str]) -> Guess:
    ranked = sorted(zip(names, probabilities, strict=True), key=lambda one: -one[1])
    return Guess(character.box, tuple(ranked), None if math.isnan(unlike) else unlike, character.line)
