"""Writes what was read in pictures, as it comes: rows for people, lines of JSON for programs, and how fast it goes."""

import json
import sys
import time

import click

from hpsearch.cli.output import coloured, complain, plain
from hpsearch.predict.reading import Guess, Reading
from hpsearch.predict.sights import Unread

HEAD = ("picture", "at", "reads", "surely", "or", "doubts")
ROWS, SECONDS = 64, 1.0  # rows wait for so many others, or so long, to stand in line with them
MANY = 100  # pictures; how fast so many went is told


class AsRows:
    """Rows below one head; their columns grow where what comes later is wider."""

    def __init__(self, top: int) -> None:
        """Show so many classes of each character."""
        self._top, self._widths = top, [0] * len(HEAD)
        self._waiting: list[tuple[str, ...]] = []
        self._since = time.monotonic()

    def show(self, answer: Reading | Unread) -> None:
        """Write what was read, in a moment; what could not be read goes to standard error."""
        if isinstance(answer, Unread):
            self.flush()
            complain(f"{answer.name}: {answer.why}")
            return
        several = len(answer.guesses) > 1
        self._waiting += [self._row(answer.picture.name, guess, several=several) for guess in answer.guesses]
        if several:
            self._waiting += [(answer.picture.name, "text", f"  {line}") for line in answer.text.split("\n")]
        if len(self._waiting) >= ROWS or time.monotonic() - self._since > SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        rows = [tuple(map(plain, row)) for row in self._waiting]
        if rows and not any(self._widths):
            rows = [HEAD, *rows]
        self._waiting, self._since = [], time.monotonic()
        for row in rows:
            if len(row) == len(HEAD):
                self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, self._widths, strict=False)]
            bold = row == HEAD and coloured(sys.stdout)
            click.echo(click.style("  ".join(cells).rstrip(), bold=True) if bold else "  ".join(cells).rstrip())

    def _row(self, name: str, guess: Guess, *, several: bool) -> tuple[str, ...]:
        (best, probability), *others = guess.shown[: self._top]
        left, top, right, bottom = guess.box
        at = f"{left},{top} {right - left}×{bottom - top}" if several else ""
        rest = "  ".join(f"{other} {share:.1%}" for other, share in others)
        return name, at, best, f"{probability:.1%}", rest, ", ".join(guess.doubts)


class AsJson:
    """A line of JSON for each picture."""

    def show(self, answer: Reading | Unread) -> None:
        """Write the picture's line."""
        click.echo(json.dumps(_as_json(answer), allow_nan=False))

    def flush(self) -> None:
        """Nothing waits."""


def _as_json(answer: Reading | Unread) -> dict[str, object]:
    if isinstance(answer, Unread):
        return {"picture": answer.name, "error": answer.why}
    characters = [
        {
            "box": guess.box, "class": guess.name, "probability": guess.ranked[0][1], "doubts": guess.doubts,
            "unlike": guess.unlike, "probabilities": dict(guess.ranked),
        }
        for guess in answer.guesses
    ]  # fmt: skip
    picture = answer.picture
    return {
        "picture": picture.name, "size": picture.size, "dark_on_light": picture.dark_on_light, "text": answer.text,
        "characters": characters,
    }  # fmt: skip


class Pace:
    """How fast it goes: on a terminal while it does (if no rows show it), for many pictures in the end."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._pictures = self._unread = 0
        self._live = sys.stderr.isatty() and not sys.stdout.isatty()

    def count(self, *, unread: bool) -> None:
        """One more picture is done."""
        self._pictures, self._unread = self._pictures + 1, self._unread + unread
        if self._live and time.monotonic() - self._told > SECONDS / 2:
            self._told = time.monotonic()
            click.echo(f"\r{self._words()}", err=True, nl=False)

    @property
    def unread(self) -> str:
        """In words, how many pictures could not be read; "" if all could."""
        return f"{self._unread:,} of {self._pictures:,} pictures could not be read" if self._unread else ""

    def end(self) -> None:
        """Say how fast it went."""
        if self._pictures >= MANY:
            click.echo(("\r" if self._live else "") + self._words(), err=True)

    def _words(self) -> str:
        seconds = time.monotonic() - self._began
        return f"{self._pictures:,} pictures in {seconds:.1f} s, {self._pictures / max(seconds, 1e-9):.0f} a second"
