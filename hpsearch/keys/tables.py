"""Lists the keys of an experiment file, and the parts that it can name with their options, as tables in Markdown."""

import inspect
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch import plugins
from hpsearch.errors import ExperimentRefused
from hpsearch.experiment import Experiment
from hpsearch.loading.part_checks import SOURCE_KEYS

NEEDED, NOTHING = "must be given", "–"
PLAIN = {"string": "text", "integer": "a whole number", "number": "a number"}
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A table of the file: its name ("" is the top of the file), what it is about, and its keys as Markdown."""

    name: str
    about: str
    keys: str


def sections() -> Iterator[Section]:
    """The sections in the order of the schema; the keys of [space] are one's own, so its table has those of a range."""
    schema = Experiment.model_json_schema()
    known, top = schema["$defs"], schema["properties"]
    plain = {key: one for key, one in top.items() if "$ref" not in one and key != "space"}
    yield Section("", schema["description"], _keys(plain, schema["required"]))
    for name in (name for name in top if name not in plain):
        one = known["Range" if name == "space" else top[name]["$ref"].rpartition("/")[2]]
        about = top[name].get("description") or one["description"].partition(": ")[2]
        yield Section(name, about[:1].upper() + about[1:], _keys(one["properties"], one.get("required", ())))


def sources() -> str:
    """The data sources that are installed, each with the keys of [data] that it takes."""
    return _table(("source", "what it reads", "its keys"), _rows("datasets", SOURCE_KEYS))


def parts(socket: str) -> str:
    """The parts of a socket ("tuners" or "pruners") that are installed, each with its options and their defaults."""
    return _table((socket.removesuffix("s"), "what it does", "its options"), _rows(socket))


def _rows(socket: str, keys: Sequence[str] | None = None) -> Iterator[Sequence[str]]:
    """Each part of a socket with its options, or those of them that are among the keys, in the order of these.

    One that cannot be imported has the reason in the place of what it does.
    """
    for name in plugins.known(socket):
        try:
            part = plugins.part(socket, name)
        except ExperimentRefused as refused:
            yield f"`{name}`", "; ".join(mistake.what for mistake in refused.mistakes), NOTHING
            continue
        options = plugins.options(part)
        told = [_option(key, options[key]) for key in (options if keys is None else keys) if key in options]
        yield f"`{name}`", inspect.getdoc(part) or "", ", ".join(told) or NOTHING


def _option(key: str, option: inspect.Parameter) -> str:
    if option.default is option.empty:
        return f"`{key}` ({NEEDED})"
    silent = option.default is None or option.default is False
    return f"`{key}`" if silent else f"`{key} = {json.dumps(option.default, default=str)}`"


def _keys(fields: Schema, required: Collection[str]) -> str:
    rows = []
    for key, one in fields.items():
        default = one.get("default")
        shown = NEEDED if key in required else NOTHING if default is None else f"`{json.dumps(default)}`"
        rows.append((f"`{key}`", _takes(one), shown, one["description"]))
    return _table(("key", "takes", "default", "what it means"), rows)


def _takes(one: Schema) -> str:
    """What a key takes, in words, from its part of the JSON Schema; that it may be left out is no news."""
    kinds = [kind for kind in one.get("anyOf", [one]) if kind.get("type") != "null"]
    *others, last = [word for kind in kinds for word in _kinds(kind)]
    return f"{', '.join(others)} or {last}" if others else last


def _kinds(one: Schema) -> list[str]:
    if words := one.get("enum", [one["const"]] if "const" in one else None):
        return [f"`{json.dumps(word)}`" for word in words]
    match one["type"]:
        case "array":
            count = f" of {one['maxItems']}" if "maxItems" in one else ""
            return [f"a list{count}, each {_takes(one['items'])}"]
        case "object":
            inner = one["additionalProperties"]
            return [f"a table, each value {_takes(inner)}" if isinstance(inner, dict) else "a table"]
        case "boolean":
            return ["`true`", "`false`"]
        case kind:
            bounds = ", ".join(f"{words} {one[key]:,}" for key, words in BOUNDS.items() if key in one)
            return [PLAIN[kind] + (f" ({bounds})" if bounds else "")]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
