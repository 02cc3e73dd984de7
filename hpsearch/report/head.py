"""Fills the head of a report: when the study was searched, and for how long."""

from datetime import UTC, datetime

from hpsearch import words
from hpsearch.report.facts import Facts


def when(facts: Facts) -> str:
    """From when to when the study lasted and for how long it searched; "" of one that never began.

    In UTC, so that it is the same words wherever and whenever they are written.
    """
    if facts.began is None:
        return ""
    sessions = f", in {facts.sessions} sessions" if facts.sessions > 1 else ""
    return f"{_between(facts.began, facts.ended)} UTC · {words.span(facts.searched)} of searching{sessions}"


def _between(began: int, ended: int | None) -> str:
    """Between two moments of Unix milliseconds."""
    first = datetime.fromtimestamp(began / 1000, UTC)
    if ended is None:
        return f"since {_day(first)}, {first:%H:%M}"
    last = datetime.fromtimestamp(ended / 1000, UTC)
    start = f"{_day(first)}, {first:%H:%M}"
    return f"{start} to {last:%H:%M}" if _day(first) == _day(last) else f"{start}, to {_day(last)}, {last:%H:%M}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
