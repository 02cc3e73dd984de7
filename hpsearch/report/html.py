"""Writes the report of a study: one HTML file that needs nothing else, for a screen, a phone or paper."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from hpsearch.paths import write_text
from hpsearch.report import drawings
from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.page import STYLE, TEMPLATE
from hpsearch.report.terminal import summary
from hpsearch.trackers import words
from hpsearch.trackers.pictures import worst_pairs

MOST_TRIALS = 500
AVERAGES = ("macro avg", "weighted avg")


def write_report(facts: Facts, path: Path) -> None:
    """Write the page, whole or not at all; it loads nothing and runs no script."""
    write_text(path, page(facts))


def page(facts: Facts) -> str:
    """The page as text; everything from outside is escaped."""
    from jinja2 import Environment
    from markupsafe import Markup

    best, metric = facts.best, facts.objective.split()[-1]
    number = best.number if best else None
    drawn = [
        (name, drawings.curves(facts.trials, name, number)) for name in dict.fromkeys((metric, "val_loss", "loss"))
    ]
    verdict = facts.verdict
    names = [words.clean(name, 60) for name in verdict.class_names] if verdict else []
    template = Environment(autoescape=True).from_string(TEMPLATE)
    return template.render(
        facts=facts,
        style=Markup(STYLE),  # noqa: S704  # our own
        metric=metric,
        summary=summary(facts),
        figures=list(_figures(facts)),
        best_values=[(words.clean(name), words.value(value)) for name, value in best.values.items()] if best else [],
        finalists=list(_finalists(facts)),
        trials=[_trial(trial, number) for trial in facts.trials[:MOST_TRIALS]],
        curves=[(name, Markup(drawing)) for name, drawing in drawn if drawing],  # noqa: S704  # escaped where it is drawn
        classes=list(_classes(facts)),
        matrix=Markup(drawings.confusion(verdict.confusion, names)) if verdict else "",  # noqa: S704  # the same
        pairs=worst_pairs(verdict.confusion, names) if verdict else [],
        provenance=[(words.clean(name), words.clean(value, 400)) for name, value in _provenance(facts)],
    )


def _figures(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.verdict:
        yield words.score(facts.verdict.test_accuracy), f"test accuracy on {facts.verdict.test_rows} rows"
        if average := facts.verdict.report.get("macro avg"):
            yield words.score(average["f1-score"]), "F1, mean over the classes"
    if facts.best:
        yield words.score(facts.best.score), f"{facts.objective.split()[-1]} of trial {facts.best.number} in the search"
    yield str(len(facts.trials)), "trials"
    yield words.span(facts.searched), "of searching"
    if facts.pruning:
        yield f"{100 * facts.pruning.share:.0f} %", "of the epochs spared by pruning"


def _finalists(facts: Facts) -> Iterator[dict[str, Any]]:
    for one in facts.verdict.finalists if facts.verdict else ():
        yield {
            "trial": one.trial,
            "won": facts.verdict is not None and one.trial == facts.verdict.winner,
            "mean": words.score(fmean(one.scores)) if one.scores else "–",
            "scores": " · ".join(map(words.score, one.scores)),
            "tests": " · ".join(map(words.score, one.test_accuracies)),
        }


def _trial(trial: TrialFacts, best: int | None) -> dict[str, Any]:
    return {
        "number": trial.number,
        "best": trial.number == best,
        "status": trial.status,
        "score": words.score(trial.score),
        "epoch": trial.best_epoch or "",
        "time": words.span(trial.seconds),
        "said": words.values(trial.values),
        "why": words.failure(trial.failure) if trial.failure else words.clean(trial.reason),
    }


def _classes(facts: Facts) -> Iterator[list[str]]:
    verdict = facts.verdict
    for name in (*verdict.class_names, *AVERAGES) if verdict else ():
        if verdict and (row := verdict.report.get(name)):
            shares = [words.score(row[column]) for column in ("precision", "recall", "f1-score")]
            yield [words.clean(name, 60), *shares, f"{row['support']:.0f}"]


def _provenance(facts: Facts) -> Iterator[tuple[str, str]]:
    yield from facts.provenance.items()
    yield "sessions", str(facts.sessions)
    for name, value in facts.fixed.items():
        yield f"fixed: {name}", words.value(value)
    for table, said in facts.experiment.items():
        given = {key: value for key, value in said.items() if value is not None} if isinstance(said, Mapping) else said
        yield f"[{table}]" if isinstance(said, Mapping) else table, json.dumps(given, ensure_ascii=False)
