"""Writes the report of a study as Markdown: its words and tables, for a wiki, a pull request or a paper."""

import re
from collections.abc import Iterable, Iterator, Sequence

from hpsearch import words
from hpsearch.report import advice, head, importance, tables, untold
from hpsearch.report.facts import Facts
from hpsearch.report.terminal import summary

MOST_TRIALS = 20
FINALS = {"trial": "trial", "mean": "validation, mean", "test": "expected accuracy", "beside": "beside the winner"}
CLASSES = {"name": "class", "precision": "precision", "recall": "recall", "f1": "F1", "rows": "rows"}
PAIRS = {"true": "true", "read": "read as", "times": "times", "share": "of its rows"}
FAILURES = {"kind": "kind", "count": "trials", "which": "which", "message": "the first one said"}
TRIALS = {"number": "trial", "status": "status", "score": "", "epoch": "best epoch", "time": "time", "said": "values"}


def page(facts: Facts) -> str:
    """The page as text; everything from outside is escaped."""
    weights = importance.weigh(facts)
    said, vain = tables.everything(facts, weights), untold.untold(facts, weights)
    parts = [
        [f"# {plain(words.clean(facts.name))}", ""],
        [plain(head.when(facts)), ""] if facts.began else [],
        [f"- {plain(line.strip())}" for line in summary(facts)],
        part("What to try next", [f"- {plain(line)}" for line in advice.advice(facts, weights)]),
        table("The winner" if facts.verdict else "The best so far", ("parameter", "value"), said["best_values"]),
        _rows("Finals", said["finalists"], FINALS),
        _rows("What mattered", said["weights"], {"name": "parameter", "share": "share", "bounds": "90 % interval"}),
        part("What mattered", [vain] if vain else []),
        _rows("Class by class", said["classes"], CLASSES),
        _rows("Most often confused", said["pairs"], PAIRS),
        _rows(
            "Where the time went", said["shares"], {"what": "all workers together", "time": "time", "share": "share"}
        ),
        _rows("Failures", said["failures"], FAILURES),
        _rows("Trials, the best first", said["trials"][:MOST_TRIALS], TRIALS | {"score": words.clean(facts.objective)}),
        table("Where it comes from", ("", ""), said["provenance"]),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def plain(text: object) -> str:
    """Text in which no sign means anything to Markdown or HTML."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", escaped)


def part(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A part of a page, with its title; nothing where it has no lines. Both are Markdown already."""
    if lines:
        yield from ("", f"## {title}", "", *lines)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A part of a page that is a table; nothing where it has no rows. Cells are escaped, the title is Markdown."""
    body = [f"| {' | '.join(map(plain, row))} |" for row in rows]
    if body:
        yield from part(title, [f"| {' | '.join(map(plain, head))} |", "|---" * len(head) + "|", *body])


def _rows(title: str, rows: Sequence[dict[str, object]], head: dict[str, str]) -> Iterator[str]:
    """A table with those of the rows' entries that `head` names, by key."""
    return table(title, list(head.values()), [[row[key] for key in head] for row in rows])
