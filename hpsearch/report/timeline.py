"""Lays a study's work out over time, and adds up where the workers' time went."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.report.facts import Facts
from hpsearch.report.labour import Work

KINDS = ("search", "final", "whole")
OUTCOMES = ("finished", "failed", "interrupted", "lost", "running")


@dataclass(frozen=True)
class Share:
    """A part of the workers' time, in seconds."""

    what: str
    seconds: float
    part: float


def lanes(facts: Facts) -> Mapping[str, Any] | None:
    """Each attempt as (lane, from, to, trial, kind, outcome), in seconds of the study; None without any.

    A lane is a worker's place.
    """
    if not facts.work:
        return None
    rows, free, taken = [], list[tuple[float, int]](), 0
    for work in sorted(facts.work, key=lambda one: (one.began, one.ended)):
        if free and free[0][0] <= work.began:
            lane = heapq.heappop(free)[1]
        else:
            lane, taken = taken, taken + 1
        heapq.heappush(free, (work.ended, lane))
        kind = KINDS.index(work.kind) if work.kind in KINDS else 0
        rows.append(
            (lane, round(work.began, 2), round(work.ended, 2), work.trial, kind, OUTCOMES.index(_outcome(work)))
        )
    marks = [round(began, 2) for began, _ in facts.session_spans[1:]]
    return {"lanes": taken, "rows": rows, "kinds": KINDS, "outcomes": OUTCOMES, "sessions": marks}


def _outcome(work: Work) -> str:
    if work.failed:
        return "failed"
    return work.how or "running"


def shares(facts: Facts) -> list[Share]:
    """Where the workers' time went, largest first: what they did, and how long they waited."""
    if not (laid := lanes(facts)):
        return []
    spent = {"epochs of the search": 0.0, "epochs of the finals": 0.0, "building and tracing models": 0.0,
             "starting, judging and saving": 0.0, "attempts that failed or were lost": 0.0}  # fmt: skip
    for work in facts.work:
        lasted = work.ended - work.began
        if work.failed or work.how == "lost":
            spent["attempts that failed or were lost"] += lasted
            continue
        training, building = min(work.training, lasted), min(work.building, max(0.0, lasted - work.training))
        spent["epochs of the search" if work.kind == "search" else "epochs of the finals"] += training
        spent["building and tracing models"] += building
        spent["starting, judging and saving"] += lasted - training - building
    whole = laid["lanes"] * sum(ended - began for began, ended in facts.session_spans)
    spent["waiting, and the program's own work"] = max(0.0, whole - sum(spent.values()))
    total = sum(spent.values()) or 1.0
    known = [Share(what, seconds, seconds / total) for what, seconds in spent.items() if seconds > 0]
    return sorted(known, key=lambda share: -share.seconds)
