"""Finds the pictures that words on the command line name, one after another, however many there are.

Drawings that `--show` made are passed over: they may lie beside the pictures, and `*.png` names them the next time.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hpsearch import files
from hpsearch.datasets.pictures import ENDINGS
from hpsearch.drawings import is_drawing
from hpsearch.errors import ExperimentRefused
from hpsearch.predict.pictures import MOST_BYTES, OTHER_ENDINGS

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A picture: what people call it, and its file."""

    name: str
    file: Path


def refuse_strangers(words: Sequence[str]) -> None:
    """Raise ExperimentRefused for all words that name no file, no folder with pictures, and not standard input.

    So it does where they name nothing but drawings.
    """
    wrong = [trouble for word in words if (trouble := _trouble(word))]
    if words.count(STDIN) > 1:
        wrong.append("- stands for standard input, and it can be read only once")
    if wrong:
        raise ExperimentRefused("\n".join(wrong))
    if all(map(_is_drawings_alone, words)):
        named = f"{words[0]}, …" if len(words) > 1 else words[0]
        message = f"{named}: only drawings of ours, which are not read; name the pictures themselves"
        raise ExperimentRefused(message)


def _trouble(word: str) -> str:
    path = Path(word)
    if word == STDIN or (word and path.is_dir() and next(_inside(path), None)):
        return ""
    if word and path.is_dir():
        return f"{word}: there is no picture in this folder\n  it would end in one of {' '.join(sorted(ENDINGS))}"
    return "" if word and path.exists() else f"{word or repr(word)}: there is no such file or folder"


def _is_drawings_alone(word: str) -> bool:
    return word != STDIN and all(is_drawing(source.file) for source in _named(word))


def sources(words: Iterable[str], scratch: Path, stdin: BinaryIO) -> Iterator[Source]:
    """The pictures in the order of the words, those of a folder by name; standard input is put into `scratch` first."""
    for word in words:
        if word == STDIN:
            yield Source(STDIN, _received(stdin, scratch / "standard-input"))
        else:
            yield from (source for source in _named(word) if not is_drawing(source.file))


def _named(word: str) -> Iterator[Source]:
    """A file, or the pictures of a folder, drawings among them."""
    if Path(word).is_dir():
        yield from (Source(str(file), file) for file in _inside(Path(word)))
    else:
        yield Source(word, Path(word))


def _received(stdin: BinaryIO, file: Path) -> Path:
    content = stdin.read(MOST_BYTES + 1)  # one too many, which is refused where it is looked at, as a file's are
    files.write_bytes(file, content)
    return file


def _inside(folder: Path) -> Iterator[Path]:
    """The pictures at any depth, folder by folder; links to folders are not followed, hidden files left out.

    Those of kinds that are not read are among them: whoever looks at them says so.
    """
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
        elif Path(entry.name).suffix.lower() in ENDINGS | OTHER_ENDINGS and entry.is_file():
            yield Path(entry)
