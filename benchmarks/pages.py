"""Puts a table that a program made into a page that a person wrote, between two marks."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def put(page: Path, name: str, table: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->`; raise ValueError where they are missing."""
    text = page.read_text(encoding="utf-8")
    marked = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if not marked.search(text):
        message = f"{page} has no place for {name!r}"
        raise ValueError(message)
    page.write_text(marked.sub(lambda _: f"\n{table}\n", text), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
