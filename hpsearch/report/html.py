"""Writes the report of a study: one HTML file that needs nothing else, for a screen, a phone or paper."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from hpsearch import files
from hpsearch.report import advice, figures, head, importance, mistakes, tables, untold
from hpsearch.report.facts import Facts
from hpsearch.trial import Status

SCRIPTS = ("charts.js", "brush.js", "stage.js")
PARTS = {
    "finals": "Finals", "history": "How the search went", "importance": "What mattered",
    "parallel": "All trials at once", "slices": "Value by value", "pair": "Two together", "curves": "Learning curves",
    "classes": "Class by class", "confusion": "Confusion matrix", "mistakes": "Wrong, and sure of it",
    "time": "Where the time went", "failures": "Failures", "trials": "Trials", "provenance": "Where it comes from",
}  # fmt: skip


def write_report(facts: Facts, file: Path, predictions: Path | None = None) -> None:
    """Write the page, whole or not at all; with the folder of the study's predictions it shows its surest mistakes."""
    files.write_text(file, page(facts, mistakes.surest(facts, predictions) if predictions else ()))


def page(facts: Facts, wrong: Sequence[mistakes.Mistake] = ()) -> str:
    """The page as text. Everything from outside is escaped; it loads nothing, and runs no script but its own."""
    from jinja2 import Environment
    from markupsafe import Markup

    weights = importance.weigh(facts)
    columns = figures.columns(facts, weights)
    library, script = _library(), "(() => {\n" + "\n".join(map(_part, SCRIPTS)) + "\n})();"
    said: dict[str, Any] = {
        **tables.everything(facts, weights),
        "facts": facts,
        "metric": columns["metric"],
        "when": head.when(facts),
        "answer": head.answer(facts),
        "in_short": head.in_short(facts),
        "advice": advice.advice(facts, weights),
        "untold": untold.untold(facts, weights),
        "figures": list(head.figures(facts)),
        "charted": any(score is not None for score in columns["score"]),
        "curved": bool(columns["curves"]),
        "most_curves": figures.MOST_OTHER_CURVES,
        "failed_curves": any(_of_failed(columns)),
        "parameters": len(columns["parameters"]),
        "pair": [columns["parameters"][place]["name"] for place in columns["pair"]],
        "mistakes": [{**vars(one), "confidence": f"{100 * one.confidence:.1f} %"} for one in wrong],
        "style": Markup(_part("style.css")),  # noqa: S704  # our own
        "columns": Markup(_as_json(columns)),  # noqa: S704  # with every < as an escape
        "library": Markup(library),  # noqa: S704  # Plotly's own
        "script": Markup(script),  # noqa: S704  # our own
        "policy": _policy(library, script),
    }
    environment = Environment(autoescape=True)
    environment.filters["halves"] = tables.halves
    template = environment.from_string(_part("template.html"))
    said["parts"] = []
    body = template.render(said)
    said["parts"] = [(anchor, title) for anchor, title in PARTS.items() if f'id="{anchor}"' in body]
    return template.render(said)


def _part(name: str) -> str:
    return (resources.files("hpsearch.report") / "page" / name).read_text(encoding="utf-8").strip()


def _library() -> str:
    """Plotly's JavaScript, as its Python package brings it."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8").strip()


def _policy(*scripts: str) -> str:
    """A content security policy under which nothing is loaded, and only these scripts run."""
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"


def _as_json(columns: Mapping[str, Any]) -> str:
    """JSON that no HTML parser takes for the end of its script."""
    text = json.dumps(columns, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _of_failed(columns: Mapping[str, Any]) -> Iterator[Sequence[float | None]]:
    """The learning curves of failed trials."""
    failed = figures.STATUSES.index(Status.FAILED)
    for curve in columns["curves"]:
        yield from (line for line, status in zip(curve["lines"], columns["status"], strict=False) if status == failed)
