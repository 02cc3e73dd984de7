"""Writes what commands have to say: tables and text for people, JSON for programs."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, TextIO

import click

from hpsearch.words import escaped


def plain(text: str) -> str:
    """The text with every control sign except line ends shown as an escape."""
    return escaped(text, but="\n")


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted: on a terminal that has them, unless NO_COLOR (no-color.org) is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def complain(message: str) -> None:
    """Write an error to standard error: what is wrong in red, how to mend it (indented) as it is."""
    for line in plain(message).split("\n"):
        red = coloured(sys.stderr) and not line.startswith(" ")
        click.echo(click.style(line, fg="red") if red else line, err=True, color=coloured(sys.stderr))


def say(text: str = "") -> None:
    """Write text for people to standard output."""
    click.echo(plain(text), color=False)


def print_json(value: Any) -> None:
    """Write a value as JSON, readable and in plain ASCII; what it does not know (NaN, infinity) becomes null.

    A set becomes a list, in order.
    """
    click.echo(json.dumps(_sound(value), indent=2, default=str, allow_nan=False))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write aligned columns; numbers stand to the right. Without rows only the head is written.

    On a terminal that is too narrow for the columns, each row is written as lines of its own.
    """
    kept = [list(row) for row in rows]
    cells = [[plain(str(cell)).replace("\n", " ") for cell in row] for row in kept]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    if cells and sys.stdout.isatty() and sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns:
        _stack(head, cells)
        return
    right = [bool(kept) and all(_numeric(row[index]) for row in kept) for index in range(len(head))]
    bold = coloured(sys.stdout)
    for number, row in enumerate([list(head), *cells]):
        fitted = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        line = "  ".join(fitted).rstrip()
        click.echo(click.style(line, bold=True) if bold and number == 0 else line, color=bold)


def _stack(head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Write each row as its first cell, with the others that are not empty on lines below it."""
    width = max(map(len, head[1:]), default=0)
    for first, *others in cells:
        click.echo(click.style(first, bold=True) if coloured(sys.stdout) else first, color=coloured(sys.stdout))
        for name, cell in zip(head[1:], others, strict=True):
            if cell:
                click.echo(f"  {name.ljust(width)}  {cell}", color=False)


def _numeric(cell: object) -> bool:
    return isinstance(cell, int | float) or cell == "-"


def _sound(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _sound(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _sound(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sound(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_sound, value))
    broken = isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")})  # noqa: PLR0124  # NaN differs from itself
    return None if broken else value
