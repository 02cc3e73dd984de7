"""Puts what a report tells in words and tables into rows: of cleaned text, still to be escaped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from hpsearch import tie_words, verdict_words, words
from hpsearch.class_report import AVERAGES, worst_pairs
from hpsearch.records import Finalist, Verdict
from hpsearch.report import timeline
from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.importance import Weight

MOST_TRIALS = 300
MOST_WEIGHTS = 20
MOST_PAIRS = 20
MOST_ROWS = 14  # of a table that is not parted
MOST_NAMED = 12  # trials that failed in one way
LONGEST_TRACEBACK = 4000
WEAK_CLASSES = 5


def everything(facts: Facts, weights: Sequence[Weight]) -> dict[str, Any]:
    """All tables of the report, by name."""
    number = facts.best.number if facts.best else None
    return {
        "best_values": [(words.clean(name), words.value(one)) for name, one in facts.best.values.items()]
        if facts.best
        else [],
        "finalists": list(finalists(facts)),
        "weights": [_weight(weight) for weight in weights[:MOST_WEIGHTS]],
        "classes": classes(facts),
        "pairs": pairs(facts),
        "reddest": reddest(facts),
        "shares": shares(facts),
        "failures": failures(facts),
        "trials": [trial(one, number) for one in facts.trials[:MOST_TRIALS]],
        "more": max(0, len(facts.trials) - MOST_TRIALS),
        "provenance": [(words.clean(name), words.clean(value, 600)) for name, value in provenance(facts)],
    }


def finalists(facts: Facts) -> Iterator[dict[str, Any]]:
    """The finals, best first: scores, test accuracies, and how each stands beside the winner."""
    if not (verdict := facts.verdict):
        return
    for one in verdict.finalists:
        yield {
            "trial": one.trial,
            "won": one.trial == verdict.winner,
            "mean": words.score(fmean(one.scores)) if one.scores else "–",
            "scores": " · ".join(map(words.score, one.scores)),
            "test": words.score(fmean(one.test_accuracies)) if one.test_accuracies else "–",
            "tests": " · ".join(map(words.score, one.test_accuracies)),
            "beside": _beside(verdict, one),
        }


def _beside(verdict: Verdict, finalist: Finalist) -> str:
    said = ["the winner" if finalist.trial == verdict.winner else "", verdict_words.failed(finalist)]
    said += ["a tie" if finalist.trial in verdict.ties else "", tie_words.apart(verdict, finalist.trial)]
    if found := next((one for one in verdict.comparisons if one.trial == finalist.trial), None):
        said.append(
            f"{found.only_winner_right} images only the winner read right, {found.only_other_right} only this one"
        )
    return "; ".join(filter(None, said))


def _weight(weight: Weight) -> dict[str, Any]:
    return {
        "name": words.clean(weight.name, 60),
        "share": percent(weight.share),
        "bounds": f"{100 * weight.low:.0f} – {percent(weight.high)}",
        "width": f"{100 * weight.share:.1f}",
        "left": f"{100 * weight.low:.1f}",
        "length": f"{max(0.4, 100 * (weight.high - weight.low)):.1f}",
    }


def percent(share: float) -> str:
    """A share as a percentage, with a decimal where it is small."""
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"  # noqa: PLR2004


def classes(facts: Facts) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class and their averages; the weakest of those with test rows are marked."""
    if not (verdict := facts.verdict):
        return []
    known = [(name, verdict.report[name]) for name in verdict.class_names if name in verdict.report]
    tested = [entry for entry in known if entry[1]["support"]]
    weakest = sorted(tested, key=lambda entry: float(entry[1]["f1-score"]))[: min(WEAK_CLASSES, len(tested) // 4)]
    weak = {name for name, _ in weakest}
    known += [(name, verdict.report[name]) for name in AVERAGES if name in verdict.report]
    return [
        {
            "name": words.clean(name, 60),
            "precision": words.score(row["precision"]),
            "recall": words.score(row["recall"]),
            "f1": words.score(row["f1-score"]),
            "width": f"{100 * (row['f1-score'] or 0):.1f}",
            "weak": name in weak,
            "rows": f"{row['support']:.0f}",
        }
        for name, row in known
    ]


def pairs(facts: Facts) -> list[dict[str, Any]]:
    """The pairs of classes that were confused most often."""
    if not (verdict := facts.verdict):
        return []
    names = [words.clean(name, 60) for name in verdict.class_names]
    return [
        {
            "true": names[row],
            "read": names[column],
            "times": count,
            "share": percent(count / sum(verdict.confusion[row])),
        }
        for row, column, count in worst_pairs(verdict.confusion, MOST_PAIRS)
    ]


def reddest(facts: Facts) -> str:
    """The largest share of a class's rows that were read as one other class; "" where none were."""
    if not (verdict := facts.verdict):
        return ""
    wrong = worst_pairs(verdict.confusion, len(verdict.class_names) ** 2)
    return percent(max(count / sum(verdict.confusion[row]) for row, _, count in wrong)) if wrong else ""


def halves(rows: Sequence[Any]) -> list[Sequence[Any]]:
    """Many rows in two parts, which stand side by side where there is room."""
    middle = -(-len(rows) // 2)
    return [rows] if len(rows) <= MOST_ROWS else [rows[:middle], rows[middle:]]


def shares(facts: Facts) -> list[dict[str, Any]]:
    """Where the workers' time went."""
    return [
        {
            "what": one.what,
            "time": words.span(one.seconds),
            "share": percent(one.part),
            "width": f"{100 * one.part:.1f}",
        }
        for one in timeline.shares(facts)
    ]


def failures(facts: Facts) -> list[dict[str, Any]]:
    """The failures by kind, the most frequent first, with what the first of each said."""
    kinds: dict[str, list[TrialFacts]] = {}
    for one in sorted(facts.trials, key=lambda trial: trial.number):
        if one.failure:
            kinds.setdefault(one.failure.kind, []).append(one)
    return [_failure(kind, failed) for kind, failed in sorted(kinds.items(), key=lambda entry: -len(entry[1]))]


def _failure(kind: str, failed: Sequence[TrialFacts]) -> dict[str, Any]:
    first = failed[0]
    named = ", ".join(str(one.number) for one in failed[:MOST_NAMED])
    lines = first.failure.traceback.strip().splitlines() if first.failure else []
    return {
        "kind": words.clean(kind, 60),
        "count": len(failed),
        "which": named if len(failed) <= MOST_NAMED else f"{named} and {len(failed) - MOST_NAMED} more",
        "first": first.number,
        "message": words.clean(first.failure.message.strip(), 500) if first.failure else "",
        "traceback": "\n".join(words.clean(line, 300) for line in lines)[-LONGEST_TRACEBACK:],
    }


def trial(one: TrialFacts, best: int | None) -> dict[str, Any]:
    """A trial as a row."""
    return {
        "number": one.number,
        "best": one.number == best,
        "status": one.status,
        "score": words.score(one.score),
        "epoch": one.best_epoch or "",
        "time": words.span(one.seconds),
        "said": words.values(one.values),
        "why": words.reason(one.failure, one.reason),
    }


def provenance(facts: Facts) -> Iterator[tuple[str, str]]:
    """Where the study comes from: versions, machine, data, and the whole experiment."""
    yield from ((name, said) for name, said in facts.provenance.items() if said)  # no commit without git
    yield "sessions", str(facts.sessions)
    for name, value in facts.fixed.items():
        yield f"fixed: {name}", words.value(value)
    for table, said in facts.experiment.items():
        given = {key: value for key, value in said.items() if value is not None} if isinstance(said, Mapping) else said
        yield f"[{table}]" if isinstance(said, Mapping) else table, json.dumps(given, ensure_ascii=False)
