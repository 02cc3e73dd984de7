"""Finds which files of a folder hold the images, the labels and the class names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.datasets.places import refuse_unless_folder
from hpsearch.errors import DataRefused

# No name begins with a dot: macOS leaves a `._` companion beside each file on a disk that is not its own.
IMAGES = re.compile(r"^(?P<stem>[^.].*?)[-._]images[-._]idx3[-._]ubyte(?:\.gz)?$")
LABELS = re.compile(r"^(?P<stem>[^.].*?)[-._]labels[-._]idx1[-._]ubyte(?:\.gz)?$")
TRAIN, TEST = ("train",), ("test", "t10k")


@dataclass(frozen=True)
class Pair:
    """A file of images and the labels to it; `stem` is the beginning that their names share."""

    stem: str
    images: Path
    labels: Path


def find_train(folder: Path, beginning: str | None) -> Pair:
    """The training files whose names begin so, or that are called train; raise DataRefused unless one pair fits."""
    found = _pairs(folder)
    stems = _fitting(found, beginning, TRAIN)
    if not stems:
        asked = f"that begins with {beginning!r}" if beginning else "called …train…"
        there = f"there are: {', '.join(sorted(found))}; choose with data.train, the beginning of the name"
        mend = there if found else "there is no idx file of images at all; mend data.folder, or put the files there"
        message = f"{folder}: no file of images {asked} (such as train-images-idx3-ubyte.gz)\n  {mend}"
        raise DataRefused(message)
    return _one(folder, found, stems, "data.train")


def find_test(folder: Path, beginning: str | None, train: Pair) -> Pair | None:
    """The test files whose names begin so, or that are called test or t10k; None when none is named so."""
    found = {stem: path for stem, path in _pairs(folder).items() if stem != train.stem}
    stems = _fitting(found, beginning, TEST)
    if beginning and not stems:
        there = f"there are: {', '.join(sorted(found))}" if found else f"there is only {train.stem}, which trains"
        message = f"{folder}: no file of images that begins with {beginning!r}\n  {there}; mend data.test"
        raise DataRefused(message)
    if not stems:
        return None
    twins = [stem for stem in stems if stem in {train.stem.replace("train", word) for word in TEST}]
    return _one(folder, found, twins if len(twins) == 1 and not beginning else stems, "data.test")


def unused_images(folder: Path, train: Pair, test: Pair | None) -> list[str]:
    """The files of images that neither train nor test, though they are named as those that train but for that word.

    So none of EMNIST's other splits in the folder, of which a person has chosen.
    """
    words, used = _words(train.stem), {pair.stem for pair in (train, test) if pair}

    def alike(stem: str) -> bool:
        others = _words(stem)
        return len(words) == len(others) and all(
            mine in {other, *TRAIN} for mine, other in zip(words, others, strict=True)
        )

    return [path.name for stem, path in sorted(_pairs(folder).items()) if stem not in used and alike(stem)]


def _pairs(folder: Path) -> dict[str, Path]:
    """The images file of each stem; a plain one goes before its gzipped twin."""
    refuse_unless_folder(folder, "mend data.folder")
    try:
        files = sorted(folder.iterdir(), reverse=True)
    except OSError as error:
        message = f"{folder}: cannot be read ({error.strerror})\n  make the folder readable for you"
        raise DataRefused(message) from error
    return {match["stem"]: path for path in files if (match := IMAGES.match(path.name)) and path.is_file()}


def _fitting(found: dict[str, Path], beginning: str | None, words: Sequence[str]) -> list[str]:
    if beginning in found:
        return [beginning]
    if beginning:
        return sorted(stem for stem in found if stem.startswith(beginning))
    return sorted(stem for stem in found if set(words) & set(_words(stem)))


def _words(stem: str) -> list[str]:
    return re.split(r"[-._]", stem.lower())


def _one(folder: Path, found: dict[str, Path], stems: Sequence[str], option: str) -> Pair:
    if len(stems) > 1:
        message = (
            f"{folder}: several files of images fit: {', '.join(stems)}"
            f"\n  choose one with {option}, the beginning of the name"
        )
        raise DataRefused(message)
    (stem,) = stems
    named = (path for path in sorted(folder.iterdir()) if (match := LABELS.match(path.name)) and match["stem"] == stem)
    labels = next((path for path in named if path.is_file()), None)
    if labels is None:
        message = f"{found[stem]}: no file of labels beside it\n  put {stem}-labels-idx1-ubyte.gz into the same folder"
        raise DataRefused(message)
    return Pair(stem, found[stem], labels)
