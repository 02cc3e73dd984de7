"""Finds the pictures that words on the command line name, one after another, however many there are."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hpsearch import paths
from hpsearch.datasets.pictures import ENDINGS
from hpsearch.errors import ExperimentRefused
from hpsearch.predict.pictures import MOST_BYTES

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A picture: what people call it, and its file."""

    name: str
    file: Path


def refuse_strangers(words: Sequence[str]) -> None:
    """Raise ExperimentRefused for all words that name no file, no folder with pictures, and not standard input."""
    wrong = [trouble for word in words if (trouble := _trouble(word))]
    if words.count(STDIN) > 1:
        wrong.append("- stands for standard input, and it can be read only once")
    if wrong:
        raise ExperimentRefused("\n".join(wrong))


def _trouble(word: str) -> str:
    path = Path(word)
    if word == STDIN or (word and path.is_dir() and next(_inside(path), None)):
        return ""
    if word and path.is_dir():
        return f"{word}: there is no picture in this folder\n  it would end in one of {' '.join(sorted(ENDINGS))}"
    return "" if word and path.exists() else f"{word or repr(word)}: there is no such file or folder"


def refuse_drawings_among_pictures(drawings: Path, words: Sequence[str]) -> None:
    """Raise ExperimentRefused when the folder for drawings is one that is read, where they would be read next time."""
    inside = Path(os.path.realpath(drawings))
    for word in words:
        if Path(word).is_dir() and inside.is_relative_to(os.path.realpath(word)):
            message = f"--show {drawings}: it lies in {word}, whose pictures are read at any depth"
            message += "\n  the next time, the drawings would be among them: choose a folder outside of it"
            raise ExperimentRefused(message)


def sources(words: Iterable[str], scratch: Path, stdin: BinaryIO) -> Iterator[Source]:
    """The pictures in the order of the words, those of a folder by name; standard input is put into `scratch` first."""
    for word in words:
        if word == STDIN:
            yield Source(STDIN, _received(stdin, scratch / "standard-input"))
        elif Path(word).is_dir():
            yield from (Source(str(file), file) for file in _inside(Path(word)))
        else:
            yield Source(word, Path(word))


def _received(stdin: BinaryIO, file: Path) -> Path:
    content = stdin.read(MOST_BYTES + 1)  # one too many, which is refused where it is looked at, as a file's are

    def fill(temporary: Path) -> None:
        temporary.write_bytes(content)

    paths.write(file, fill)
    return file


def _inside(folder: Path) -> Iterator[Path]:
    """The pictures at any depth, folder by folder; links to folders are not followed, hidden files left out."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:  # what cannot be looked into holds nothing for us
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(Path(entry))
        elif Path(entry.name).suffix.lower() in ENDINGS and entry.is_file():
            yield Path(entry)
