"""Lays a study's facts out as the plain columns that the page's charts are drawn from."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpsearch import words
from hpsearch.as_optuna import plain_name
from hpsearch.objective import Objective
from hpsearch.report import timeline
from hpsearch.report.facts import Facts, Point, TrialFacts
from hpsearch.report.findings import took_several
from hpsearch.report.importance import Weight
from hpsearch.space import Parameter, Value

MOST_CURVES = 10_000  # trials whose objective is drawn epoch by epoch
MOST_OTHER_CURVES = 300  # trials, the best ones, whose other metrics are drawn
STATUSES = ("completed", "pruned", "failed", "running", "interrupted", "asked")  # the first three as charts.js has them


def columns(facts: Facts, weights: Sequence[Weight] = ()) -> dict[str, Any]:
    """Everything the charts need, as JSON knows it: trials in the order of their numbers, None where nothing is."""
    objective, best = Objective.parse(facts.objective), facts.best
    trials = sorted(facts.trials, key=lambda trial: trial.number)
    parameters = list(_parameters(facts, trials, [weight.name for weight in weights]))
    return {
        "metric": words.clean(objective.metric, 60),
        "goal": objective.goal,
        "best": best.number if best else None,
        "statuses": STATUSES,
        "number": [trial.number for trial in trials],
        "status": [STATUSES.index(trial.status) for trial in trials],
        "score": [rounded(trial.score) for trial in trials],
        "seconds": [rounded(trial.seconds) for trial in trials],
        "parameters": parameters,
        "pair": _pair(parameters),
        "curves": list(_curves(facts, trials, objective)),
        "timeline": timeline.lanes(facts),
        "confusion": _confusion(facts),
    }


def rounded(number: float | None) -> float | None:
    """Five digits, which is more than a chart shows; None for what is no finite number."""
    if number is None or not math.isfinite(number):
        return None
    return number if isinstance(number, int) else float(f"{number:.5g}")


def varying(trials: Iterable[TrialFacts]) -> list[str]:
    """The names of the parameters that took more than one value, or that some trials did not have, as they came up."""
    rows = [trial.values for trial in trials if trial.values]
    held, several = Counter(name for values in rows for name in values), took_several(rows)
    return [name for name, many in held.items() if name in several or many < len(rows)]


def _parameters(facts: Facts, trials: Sequence[TrialFacts], ranked: Sequence[str]) -> Iterable[dict[str, Any]]:
    """What varies, the weightiest first; categories as their places in a list."""
    names = varying(trials)
    order: dict[str, int] = {}
    for place, shown in enumerate(ranked):
        order.setdefault(shown, place)
        order.setdefault(plain_name(shown), place)
    for name in sorted(names, key=lambda one: order.get(one, len(order))):
        asked = [parameter for parameter in facts.parameters if parameter.name == name]
        given = [trial.values.get(name) for trial in trials]
        yield {"name": words.clean(name, 60), **(_numbers(asked, given) or _categories(asked, given))}


def _pair(parameters: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of the two weightiest parameters that at least half of the trials have together; [] without two."""
    for first, second in itertools.combinations(range(len(parameters)), 2):
        both = list(zip(parameters[first]["values"], parameters[second]["values"], strict=True))
        if 2 * sum(one is not None and other is not None for one, other in both) >= len(both):
            return [first, second]
    return []


def _numbers(asked: Sequence[Parameter], given: Sequence[Value | None]) -> dict[str, Any] | None:
    if any(isinstance(value, bool | str) for value in given) or any(one.kind in {"choice", "boolean"} for one in asked):
        return None
    numbers = [value for value in given if isinstance(value, int | float) and math.isfinite(value)]
    log = any(one.sampling == "log" for one in asked) and all(number > 0 for number in numbers)
    whole = all(isinstance(number, int) for number in numbers)
    return {
        "log": log,
        "whole": whole,
        "values": [rounded(value) if isinstance(value, int | float) else None for value in given],
    }


def _categories(asked: Sequence[Parameter], given: Sequence[Value | None]) -> dict[str, Any]:
    known: dict[str, Value] = {}
    for value in (*(choice for one in asked for choice in one.choices), *given):
        if value is not None:
            known.setdefault(words.value(value), value)
    if all(isinstance(value, int | float) for value in known.values()):
        known = dict(sorted(known.items(), key=lambda entry: float(entry[1])))
    places = {shown: place for place, shown in enumerate(known)}
    return {
        "categories": list(known),
        "values": [None if value is None else places[words.value(value)] for value in given],
    }


def _curves(facts: Facts, trials: Sequence[TrialFacts], objective: Objective) -> Iterable[dict[str, Any]]:
    """Each metric's values epoch by epoch, for every trial that has two of them; the objective first."""
    metric = objective.metric
    names = dict.fromkeys((metric, "val_loss", "loss", *(name for trial in trials[:50] for name in trial.curves)))
    foremost = {trial.number for trial in facts.trials[:MOST_OTHER_CURVES]}
    for name in names:
        if name == "learning_rate":
            continue
        most = MOST_CURVES if name == metric else len(trials)
        lines = [
            _line(trial.curves.get(name, ())) if name == metric or trial.number in foremost else []
            for trial in trials[:most]
        ]
        if any(lines):
            yield {"name": words.clean(name, 60), "falling": objective.falls(name), "lines": lines}


def _line(points: Sequence[Point]) -> list[float | None]:
    """The values from epoch 1 on, with a gap where an epoch is missing."""
    if len(points) < 2:  # noqa: PLR2004  # a line needs two points
        return []
    line: list[float | None] = [None] * points[-1][0]
    for epoch, value in points:
        line[epoch - 1] = rounded(value)
    return line


def _confusion(facts: Facts) -> Mapping[str, Any] | None:
    if not facts.verdict:
        return None
    counts = facts.verdict.confusion
    cells = [(column, row, count) for row, line in enumerate(counts) for column, count in enumerate(line) if count]
    names = [words.clean(name, 60) for name in facts.verdict.class_names]
    return {"names": names, "cells": cells, "totals": [sum(line) for line in counts]}
