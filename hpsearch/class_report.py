"""Tells class by class how a model reads: its classification report, as rows and as text, and what it confuses."""

from collections.abc import Sequence
from typing import Any

from hpsearch.records import Verdict

AVERAGES = ("macro avg", "weighted avg")
COLUMNS = ("precision", "recall", "f1-score", "support")
MOST_PAIRS = 12


def report_rows(verdict: Verdict) -> list[list[Any]]:
    """Name, precision, recall, f1-score and support of each class, and averaged; None for a class without rows."""
    names = [name for name in (*verdict.class_names, *AVERAGES) if name in verdict.report]
    return [[name, *(verdict.report[name][column] for column in COLUMNS)] for name in names]


def report_text(verdict: Verdict) -> str:
    """The same as text, with the accuracy."""
    width = max(len("model accuracy"), *(len(name) for name in verdict.class_names))
    lines = [f"{'':>{width}}  {'  '.join(COLUMNS)}", ""]
    for name, *shares, support in report_rows(verdict):
        figures = ["–" if share is None else f"{share:.4f}" for share in shares]
        shown = [f"{figure:>{len(column)}}" for figure, column in zip(figures, COLUMNS, strict=False)]
        lines.append(f"{name:>{width}}  {'  '.join(shown)}  {support:7.0f}")
    on = f"on {verdict.test_rows} rows of the test split"
    lines += ["", f"{'model accuracy':>{width}}  {verdict.model_accuracy:.4f} {on}"]
    return "\n".join(lines) + "\n"


def worst_pairs(counts: Sequence[Sequence[int]], most: int = MOST_PAIRS) -> list[tuple[int, int, int]]:
    """The pairs (row of the true class, column of the predicted one, how often) that were confused most often."""
    wrong = [
        (count, row, column)
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    ]
    ordered = sorted(wrong, key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [(row, column, count) for count, row, column in ordered[:most]]
