"""Finds parts by name through entry points; a part is imported only when it is used."""

import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from hpsearch.disk import in_a_sentence
from hpsearch.errors import ExperimentRefused, HpsearchError, Mistake, first_line
from hpsearch.nearest import hint

HERE = Path(__file__).parent
SOCKETS = ("tuners", "pruners", "datasets", "executors", "exporters")


@cache
def _parts(socket: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"hpsearch.{socket}")}


def known(socket: str) -> list[str]:
    """The names of all parts of a socket ("tuners", "pruners", "datasets", …), in order."""
    return sorted(_parts(socket))


def unknown(socket: str, name: str, where: str) -> Mistake | None:
    """What is wrong with the name of a part, with the nearest known one; None if it is known."""
    if name in _parts(socket):
        return None
    return Mistake(where, f"there is no {socket.removesuffix('s')} {name!r}", hint(name, known(socket)))


def part(socket: str, name: str, where: str = "installed parts") -> Any:
    """Import a part; raise ExperimentRefused when there is none of that name, or when it cannot be imported or made."""
    if mistake := unknown(socket, name, where):
        raise ExperimentRefused([mistake])
    entry, called = _parts(socket)[name], _called(socket, name)
    try:
        found = entry.load()
    except Exception as error:  # anybody's package may bring a part
        what = f"{called} cannot be imported: {type(error).__name__}: {error}"
        raise ExperimentRefused([Mistake(where, what, f"mend {entry.value}, or install what it needs")]) from error
    if not callable(found):
        what = f"{called} cannot be made: {entry.value} is a {type(found).__name__}, not a class"
        raise ExperimentRefused([Mistake(where, what, 'its entry point names a class: "module:Class"')])
    return found


def options(factory: Any) -> dict[str, inspect.Parameter]:
    """The options a part takes, by its own signature; annotations that are text are read, where they can be."""
    try:
        takes = inspect.signature(factory, eval_str=True).parameters
    except Exception:  # noqa: BLE001  # the text may name what is imported for type checkers only, or be anything
        takes = inspect.signature(factory).parameters
    return {key: one for key, one in takes.items() if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}}


def required(takes: Mapping[str, inspect.Parameter]) -> list[str]:
    """Those of a part's options that it cannot be made without."""
    return [key for key, option in takes.items() if option.default is option.empty]


def takes_any(factory: Any) -> bool:
    """Whether a part takes options beside those that its signature names."""
    return any(one.kind is one.VAR_KEYWORD for one in inspect.signature(factory).parameters.values())


def make(socket: str, name: str, given: Mapping[str, Any], where: str = "options") -> Any:
    """Make a part with options from an experiment; raise ExperimentRefused when they are not its own, or it fails."""
    factory = part(socket, name, where)
    takes = options(factory)
    mistakes = [
        Mistake(f"{where}.{key}", f"{name} takes no option {key!r}", hint(key, list(takes)))
        for key in given
        if key not in takes and not takes_any(factory)
    ]
    mistakes += [Mistake(where, f"{name} needs the option {key!r}") for key in required(takes) if key not in given]
    if mistakes:
        raise ExperimentRefused(mistakes)
    try:
        return factory(**given)
    except (TypeError, ValueError) as error:
        raise ExperimentRefused([Mistake(where, f"{name}: {error}")]) from error
    except Exception as error:
        if not _is_its_own(socket, name, error):
            raise
        what = f"{_called(socket, name)} cannot be made: {type(error).__name__}: {error}"
        raise ExperimentRefused([Mistake(where, what, _lines(error))]) from error


@contextmanager
def blaming(socket: str, name: str, when: str) -> Iterator[None]:
    """Within, a part is at work: what one of another package raises is told as its own, by an HpsearchError.

    Mistakes of hpsearch's own parts go on as they are, and so does what is meant for a person, or the machine refuses.
    """
    try:
        yield
    except Exception as error:
        if not _is_its_own(socket, name, error):
            raise
        what = f"{_called(socket, name)} went wrong when {when}: {type(error).__name__}: {first_line(str(error))}"
        message = f"{what}\n  {_lines(error)}"
        raise HpsearchError(message) from error


def foreign_line(error: BaseException) -> str:
    """The line of a package that brings parts which an error came from; "" where it came from hpsearch's own."""
    packages = {_package(entry) for socket in SOCKETS for entry in _parts(socket).values()}
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in packages | {HERE.name}:  # others are the tools of these
            return "" if package == HERE.name else f"{frame.f_code.co_filename}, line {line}"
    return ""


def brought(parts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The packages beside hpsearch that bring these parts, named by socket and name, with their versions."""
    packages = [_parts(socket)[name].dist for socket, name in parts if name in _parts(socket)]
    return {package.name: package.version for package in packages if package and package.name != "hpsearch"}


def _called(socket: str, name: str) -> str:
    return f"the {socket.removesuffix('s')} {name!r}"


def _package(entry: EntryPoint) -> str:
    return entry.value.partition(":")[0].partition(".")[0]


def _is_its_own(socket: str, name: str, error: Exception) -> bool:
    """Whether an error is a mistake of a part that another package brings."""
    entry = _parts(socket).get(name)
    ours = entry is None or _package(entry) == HERE.name
    return not (ours or isinstance(error, HpsearchError) or in_a_sentence(error))


def _lines(error: BaseException) -> str:
    """The lines beside hpsearch's own that led to an error, in the order in which they were run."""
    frames = traceback.extract_tb(error.__traceback__)
    others = [frame for frame in frames if not Path(frame.filename).is_relative_to(HERE)]
    return "\n  ".join(f"{frame.filename}, line {frame.lineno}, in {frame.name}: {frame.line}" for frame in others)
