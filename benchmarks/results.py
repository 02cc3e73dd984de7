"""Writes benchmarks/RESULTS.md from the JSON files in benchmarks/results: python benchmarks/results.py.

A file holds one object, as reporting.Result writes it:

    title      what was measured
    command    the command that measures it again
    predicted  what was hoped for before measuring, or ""
    machine    facts as plain values: date, processor, cores, …; may be empty
    columns    names, and rows: lists of as many cells: text, a number, or null
    plot       the name of a picture beside the file, or ""
    words      sentences on what the numbers mean and where they fall short

A folder within benchmarks/results is another machine's (--out benchmarks/results/FOLDER of the benchmarks). notes.md,
written by hand, stands above the tables as it is. Files of another form are passed over: what was measured of pruning
has a page of its own, docs/pruning.md.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEAD = """# Benchmarks: results

Written by `python benchmarks/results.py` from `benchmarks/results/`; the notes come from `benchmarks/notes.md`.
What each benchmark does stands at the top of its program.
"""


def main() -> None:
    """Render everything that is there."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    (HERE / "RESULTS.md").write_text(page(HERE / "results", HERE / "notes.md"), encoding="utf-8")


def page(results: Path, notes: Path) -> str:
    """The page as Markdown: the notes, then a section for each JSON file, in the order of their names."""
    paths = sorted(results.rglob("*.json"), key=lambda path: (path.name, path))
    found = {path: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    said = notes.read_text(encoding="utf-8").strip() if notes.exists() else ""
    told = {path: result for path, result in found.items() if "title" in result}
    many = Counter(result["title"] for result in told.values())
    sections = [
        section(_told_apart(result) if many[result["title"]] > 1 else result, path.parent.relative_to(results.parent))
        for path, result in told.items()
    ]
    return "\n".join([HEAD, *([said, ""] if said else []), *(sections or ["Nothing has been measured yet.\n"])])


def _told_apart(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result whose title another one has, too: it was measured on another machine, whose speed tells it."""
    speed = result.get("machine", {}).get("gflops", "unknown")
    return {**result, "title": f"{result['title']}, at {speed} GFLOP/s"}


def section(result: Mapping[str, Any], folder: Path) -> str:
    """One result: heading, command, machine, table, picture, words; the picture is in the folder."""
    lines = [f"## {result['title']}", "", f"    {result['command']}", ""]
    if result.get("machine"):
        lines += [_machine(result["machine"]), ""]
    if result.get("predicted"):
        lines += [f"Hoped for: {result['predicted']}.", ""]
    lines += [*_table(result["columns"], result["rows"]), ""]
    if result.get("plot"):
        lines += [f"![{result['title']}]({(folder / result['plot']).as_posix()})", ""]
    return "\n".join([*lines, *_sentences(result.get("words", ()))])


def _machine(facts: Mapping[str, Any]) -> str:
    return "Measured on: " + ", ".join(f"{name} {value}" for name, value in facts.items() if value != "") + "."


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A Markdown table; columns of numbers stand to the right."""
    rows = list(rows)
    right = [any(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    rules = ["---:" if numbers else "---" for numbers in right]
    return [_line(columns), _line(rules), *(_line([cell(value) for value in row]) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cell(value: Any) -> str:
    """A value as it stands in a table: numbers with three digits, whole ones and large ones whole, None as a dash."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value).replace("|", "\\|")
    if abs(value) >= 100:  # noqa: PLR2004  three digits stand before the point
        return f"{value:,.0f}"
    return f"{value:#.3g}" if value else "0"


def _sentences(words: str | Sequence[str]) -> list[str]:
    """One line a sentence; a single text counts as one."""
    given = [words] if isinstance(words, str) else words
    return [*(f"- {sentence}" for sentence in given if sentence), ""] if given else []


if __name__ == "__main__":
    main()
