"""Says which formats a person wants of a model, and refuses what cannot be had before anything is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from hpsearch import plugins
from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.protocols import Exporter

ALL = "all"
WHERE = "--format"
MEND = 'pip install "hpsearch[export]"'


@dataclass(frozen=True)
class Formats:
    """The wanted formats; with `as_can_be` those that a model cannot have are left out, else they are refused."""

    names: tuple[str, ...]
    as_can_be: bool = False


def chosen(text: str) -> Formats:
    """Read "keras,onnx", or "all" for every format whose runtime is installed.

    Raises ExperimentRefused, naming them all, for formats that are unknown, wanted twice or not installed.
    """
    words = [word.strip() for word in text.split(",")]
    if words == [ALL]:
        return Formats(tuple(filter(_to_be_had, plugins.known("exporters"))), as_can_be=True)
    mistakes = [mistake for word in dict.fromkeys(words) if (mistake := _mistake(word, words))]
    if mistakes:
        raise ExperimentRefused(mistakes)
    return Formats(tuple(words))


def exporter(name: str) -> Exporter:
    """The exporter of a known format."""
    made: Exporter = plugins.make("exporters", name, {}, WHERE)
    return made


def missing(name: str) -> Sequence[str]:
    """The modules that this format needs and that are not installed."""
    return [module for module in exporter(name).needs if find_spec(module) is None]


def _to_be_had(name: str) -> bool:
    try:
        return not missing(name)
    except ExperimentRefused:  # another package's exporter, which cannot be imported
        return False


def _mistake(word: str, words: Sequence[str]) -> Mistake | None:
    if word == ALL:
        return Mistake(WHERE, f"{ALL!r} stands for every format, so it stands alone", f"write {WHERE} {ALL}")
    if unknown := plugins.unknown("exporters", word, WHERE):
        return Mistake(WHERE, f"there is no format {word!r}", unknown.mend)
    if words.count(word) > 1:
        return Mistake(WHERE, f"{word!r} is wanted twice", "name each format once")
    if lacking := missing(word):
        are = "is" if len(lacking) == 1 else "are"
        return Mistake(WHERE, f"{word} needs {', '.join(lacking)}, which {are} not installed", MEND)
    return None
