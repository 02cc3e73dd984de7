"""Reads a TOML file that may be anything: too large, too deep, not text, not TOML."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from hpsearch.errors import ExperimentRefused, Mistake

LARGEST = 1_000_000
DEEPEST = 16
MOST_DOTS = 1000  # within one key; the parser takes the square of their number


def read(file: Path, shown: str) -> tuple[str, dict[str, Any]]:
    """Give back the file's text and what it says; raise ExperimentRefused with the line that cannot be read."""
    text = _text(_bytes(file, shown), shown)
    for number, line in enumerate(text.splitlines(), start=1):
        if max(part.count(".") for part in line.split("=")) > MOST_DOTS:
            raise ExperimentRefused(
                [Mistake(f"{shown}, line {number}", "this key is nested too deeply", f"at most {DEEPEST} levels")]
            )
    try:
        said = tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep(shown, text) from error
    except ValueError as error:
        raise _not_toml(shown, text, error) from error
    if too_deep(said):
        raise _too_deep(shown, text)
    return text, said


def too_deep(value: Any) -> bool:
    """Whether tables and lists are nested deeper than any experiment needs."""
    layer = [value]
    for _ in range(DEEPEST + 1):
        layer = [inner for outer in layer if isinstance(outer, dict | list) for inner in _inside(outer)]
    return bool(layer)


def _inside(outer: dict[str, Any] | list[Any]) -> list[Any]:
    return list(outer.values()) if isinstance(outer, dict) else outer


def _bytes(file: Path, shown: str) -> bytes:
    if not file.exists():
        raise ExperimentRefused([Mistake(shown, "there is no such file", _near(file))])
    if not file.is_file():
        raise ExperimentRefused(
            [Mistake(shown, "this is not a file", "name an experiment file, such as experiments/mnist_mlp.toml")]
        )
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise ExperimentRefused([Mistake(shown, f"the file cannot be read ({error.strerror})")]) from error
    if len(content) > LARGEST:
        raise ExperimentRefused(
            [Mistake(shown, f"the file is larger than {LARGEST:,} bytes", "this is no experiment file")]
        )
    return content


def _near(file: Path) -> str:
    """Where an experiment of nearly this name lies: in the folder that was named, or where a project keeps them."""
    folders = (Path("experiments"), Path(), file.parent / "experiments", file.parent)
    found = {path.name: path for folder in folders for path in sorted(folder.glob("*.toml"))}
    if near := difflib.get_close_matches(file.name, found, n=1):
        return f"did you mean {str(found[near[0]])!r}?"
    if found:
        return f"known: {', '.join(map(str, found.values()))}"
    return "run it from the project's folder, or begin a project in this one: hpsearch init"


def _text(content: bytes, shown: str) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        raise ExperimentRefused(
            [
                Mistake(
                    f"{shown}, line 1",
                    "the file begins with a byte-order mark",
                    "save it as UTF-8 without one (without BOM)",
                )
            ]
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte {content[error.start]:#04x} is not UTF-8"
        raise ExperimentRefused([Mistake(f"{shown}, line {line}", what, "save the file as UTF-8")]) from error


def _not_toml(shown: str, text: str, error: ValueError) -> ExperimentRefused:
    message = str(error)
    spot = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    rows = text.splitlines() or [""]
    line = int(spot[1]) if spot and spot[1] else len(rows)
    what = f"this is not TOML: {message[: spot.start()] if spot else message}"
    written = rows[min(line, len(rows)) - 1].strip()[:80]
    mend = f'written is: {written}   (text stands in quotes, as in time = "30m"; a key stands once)'
    return ExperimentRefused([Mistake(f"{shown}, line {line}" if spot else shown, what, mend)])


def _too_deep(shown: str, text: str) -> ExperimentRefused:
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        depth = 0 if line.startswith("[") and line.endswith("]") else depth
        deepest = max(depth + line.count("[") + line.count("{"), line.count("."))
        if deepest > DEEPEST:
            return ExperimentRefused(
                [Mistake(f"{shown}, line {number}", "this is nested too deeply", f"at most {DEEPEST} levels")]
            )
        depth += sum(line.count(sign) for sign in "[{") - sum(line.count(sign) for sign in "]}")
    return ExperimentRefused([Mistake(shown, "this is nested too deeply", f"at most {DEEPEST} levels")])
