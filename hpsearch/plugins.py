"""Finds parts by name through entry points; a part is imported only when it is used."""

import difflib
import inspect
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hpsearch.errors import ExperimentRefused, Mistake


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
    names = known(socket)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return Mistake(where, f"there is no {socket.removesuffix('s')} {name!r}", f"{hint}known: {', '.join(names)}")


def part(socket: str, name: str) -> Any:
    """Import a part; raise ExperimentRefused when there is none of that name."""
    if mistake := unknown(socket, name, "words"):
        raise ExperimentRefused([mistake])
    return _parts(socket)[name].load()


def options(factory: Any) -> dict[str, inspect.Parameter]:
    """The options a part takes, by its own signature."""
    return dict(inspect.signature(factory).parameters)


def make(socket: str, name: str, given: Mapping[str, Any], where: str = "options") -> Any:
    """Make a part with options from an experiment; raise ExperimentRefused when they are not its own."""
    factory = part(socket, name)
    takes = options(factory)
    mistakes = [
        Mistake(f"{where}.{key}", f"{name} takes no option {key!r}", _hint(key, takes))
        for key in given
        if key not in takes
    ]
    mistakes += [
        Mistake(where, f"{name} needs the option {key!r}")
        for key, option in takes.items()
        if option.default is inspect.Parameter.empty and key not in given
    ]
    if mistakes:
        raise ExperimentRefused(mistakes)
    try:
        return factory(**given)
    except (TypeError, ValueError) as error:
        raise ExperimentRefused([Mistake(where, f"{name}: {error}")]) from error


def _hint(key: str, takes: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, takes, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(takes) or 'none'}"
