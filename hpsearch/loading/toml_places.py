"""Finds the line of a TOML file on which a key stands, so that a mistake can be shown where it was made.

The standard library's parser tells no lines; tree-sitter does, and is imported only when there is a mistake to show.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hpsearch.errors import Mistake

if TYPE_CHECKING:
    from tree_sitter import Node

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """A mistake at a key: `("train", "epochs")` is train.epochs; a number counts within a list.

    `in_shell` is what else to say where it was made in a `--set`.
    """

    place: Place
    what: str
    mend: str = ""
    in_shell: str = ""


@dataclass(frozen=True)
class Places:
    """Where each key of an experiment was written: on a line of the file, or in a `--set`."""

    shown: str
    text: str
    sets: Sequence[Place] = ()

    def mistakes(self, findings: Sequence[Finding]) -> list[Mistake]:
        """Say of each finding where it is, in the order of the file."""
        ordered = sorted(findings, key=lambda finding: self._line(finding.place))
        return [Mistake(self.where(finding.place), finding.what, self._mend(finding)) for finding in ordered]

    def where(self, place: Place) -> str:
        """Name the spot of a key, or of the nearest table around it, in words."""
        for given in reversed(self.sets):
            if place[: len(given)] == given or (given[: len(place)] == place and self._made_by_a_set(place)):
                return f"--set {dotted(given)}"
        return f"{self.shown}, line {self._line(place)}"

    def _mend(self, finding: Finding) -> str:
        more = finding.in_shell if finding.place in self.sets else ""
        return "; ".join(filter(None, (finding.mend, more)))

    def _made_by_a_set(self, place: Place) -> bool:
        """Whether a table above a `--set` is its work: one within a table of the file, or one the file has not."""
        return len(place) > 1 or place not in self._lines

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    @cached_property
    def _lines(self) -> dict[Place, int]:
        return lines(self.text)


def dotted(place: Place) -> str:
    """Write a place as TOML does: search.trials."""
    return ".".join(str(key) for key in place)


def lines(text: str) -> dict[Place, int]:
    """The line, counted from 1, of every table, key and list item; where one stands twice, its first line."""
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    document = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    found: dict[Place, int] = {}
    for place, line in _top(document):
        for length in range(1, len(place) + 1):
            found.setdefault(place[:length], line)
    return found


def _top(document: "Node") -> Iterator[tuple[Place, int]]:
    for node in document.named_children:
        if node.type == "pair":
            yield from _pair(node, ())
        elif node.type in {"table", "table_array_element"}:
            table = _key(node.named_children[0])
            yield table, _row(node)
            for inner in node.named_children:
                if inner.type == "pair":
                    yield from _pair(inner, table)


def _pair(node: "Node", table: Place) -> Iterator[tuple[Place, int]]:
    key, value = (node.named_children[0], node.named_children[-1])
    place = (*table, *_key(key))
    yield place, _row(key)
    yield from _value(value, place)


def _value(node: "Node", place: Place) -> Iterator[tuple[Place, int]]:
    inner = [child for child in node.named_children if child.type != "comment"]
    if node.type == "inline_table":
        for pair in inner:
            yield from _pair(pair, place)
    elif node.type == "array":
        for index, item in enumerate(inner):
            yield (*place, index), _row(item)
            yield from _value(item, (*place, index))


def _key(node: "Node") -> Place:
    if node.type == "dotted_key":
        return tuple(part for child in node.named_children for part in _key(child))
    text = (node.text or b"").decode()
    return (tomllib.loads(f"key = {text}")["key"],) if node.type == "quoted_key" else (text,)


def _row(node: "Node") -> int:
    return node.start_point[0] + 1
