"""Keeps beside a study's winner what the training images look like, so that pictures can be read without the data."""

import json
from contextlib import suppress
from dataclasses import dataclass

from hpsearch import files
from hpsearch.contender_files import data_of
from hpsearch.contenders import Contender
from hpsearch.datasets.prepared import load
from hpsearch.errors import FolderUnusable, StateDamaged
from hpsearch.polarity import Polarity, polarity_of
from hpsearch.predict.framing import Framing, recipe_of
from hpsearch.predict.likeness import Likeness
from hpsearch.protocols import Progress

LIKENESS, WORDS = "likeness.npz", "training_images.json"


@dataclass(frozen=True)
class TrainingImages:
    """Images (height × width) of so many classes, made by a recipe, with bright or dark ink.

    What else looks like them says `likeness`; `framed_otherwise` is where that recipe, the nearest, made them not.
    """

    class_names: tuple[str, ...]
    shape: tuple[int, int]
    framing: Framing
    polarity: Polarity
    likeness: Likeness | None
    framed_otherwise: bool = False


def of_study(one: Contender, progress: Progress) -> TrainingImages:
    """What is kept of the study's training images; looked at now if there is nothing yet, and kept if that can be.

    Then it raises DataRefused when the data are gone, StudyChanged when they are others.
    """
    kept = _kept(one)
    if kept is not None:
        return kept
    data = data_of(one, progress)
    images = load(data.folder, "train")[0]
    (height, width), polarity = data.shape, polarity_of(images)
    framing, as_made = recipe_of(images, polarity)
    found = TrainingImages(data.class_names, (height, width), framing, polarity, Likeness.fit(images), not as_made)
    with suppress(FolderUnusable):  # the study may be for reading only: the next time looks at them again
        _keep(one, found)
    return found


def _keep(one: Contender, found: TrainingImages) -> None:
    folder = files.make(one.folder.best)
    if found.likeness:
        found.likeness.save(folder / LIKENESS)
    words = {
        "data": one.session.identity["data"], "class_names": found.class_names, "shape": found.shape,
        "framing": found.framing, "ink": found.polarity, "framed_otherwise": found.framed_otherwise,
    }  # fmt: skip
    files.write_text(folder / WORDS, json.dumps(words, indent=2) + "\n")


def _kept(one: Contender) -> TrainingImages | None:
    """None if nothing is kept, or not of these data, or not whole."""
    try:
        words = json.loads((one.folder.best / WORDS).read_text(encoding="utf-8"))
        if words["data"] != one.session.identity["data"]:
            return None
        names, (height, width) = tuple(map(str, words["class_names"])), map(int, words["shape"])
        likeness = Likeness.load(one.folder.best / LIKENESS, (height, width))
        framing, otherwise = Framing(words["framing"]), bool(words["framed_otherwise"])
        return TrainingImages(names, (height, width), framing, Polarity(words["ink"]), likeness, otherwise)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StateDamaged):
        return None
