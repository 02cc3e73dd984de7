"""Fills the head of a report: when the study was searched, its answer, and what else it came to in short."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hpsearch import verdict_words, words
from hpsearch.records import Verdict
from hpsearch.report.facts import Facts, TrialFacts
from hpsearch.report.terminal import by_name
from hpsearch.trial import Status

MEANING = (
    "The share of new images, of the same kind, that models with its values are expected to read right, in the mean "
    "over fresh trainings. "
)
OF_THE_MEAN = "So is the interval: a single training may lie outside."
OF_A_MODEL = "The interval is that of one model: what another seed gives is not known."


def when(facts: Facts) -> str:
    """From when to when the study lasted; "" of one that never began.

    In UTC, so that it is the same words wherever and whenever they are written.
    """
    if facts.began is None:
        return ""
    sessions = f", in {facts.sessions} sessions" if facts.sessions > 1 else ""
    return f"{_between(facts.began, facts.ended)} UTC{sessions}"


def _between(began: int, ended: int | None) -> str:
    """Between two moments of Unix milliseconds."""
    first = datetime.fromtimestamp(began / 1000, UTC)
    if ended is None:
        return f"since {_day(first)}, {first:%H:%M}"
    last = datetime.fromtimestamp(ended / 1000, UTC)
    start, end = (f"{_day(moment)}, {moment:%H:%M}" for moment in (first, last))
    if start == end:
        return start
    return f"{start} to {last:%H:%M}" if _day(first) == _day(last) else f"{start}, to {end}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def answer(facts: Facts) -> tuple[str, str, str] | None:
    """The figure that the study was for, of what it is, and what that means; None while there is none."""
    if verdict := facts.verdict:
        sure = f"{verdict_words.surety(verdict)}, on {verdict.test_rows:,} test images"
        what = f"expected accuracy of the winner, trial {verdict.winner}{sure}"
        of = OF_A_MODEL if verdict.interval_of == "model" else OF_THE_MEAN
        return words.score(verdict.expected_accuracy), what, MEANING + (of if verdict.interval else "")
    if facts.best:
        what = f"{_metric(facts)} of trial {facts.best.number}, which leads so far"
        return words.score(facts.best.score), what, _lucky(facts.counts.get(Status.COMPLETED, 0))
    return None


def _lucky(trials: int) -> str:
    return f"It is the best of {trials}, and part of that is luck." if trials > 1 else ""


def figures(facts: Facts) -> Iterator[tuple[str, str]]:
    """What stands beside the answer, each with what it is."""
    if facts.verdict:
        yield from _of_the_model(facts.verdict)
        if facts.best:
            what = f"{_metric(facts)} of trial {facts.best.number} in the search{_over_few(facts, facts.best)}"
            yield words.score(facts.best.score), what
    if facts.pruning and facts.pruning.stopped_trials:
        yield f"{100 * facts.pruning.share:.0f} %", "of the epochs spared by pruning"


def _over_few(facts: Facts, trial: TrialFacts) -> str:
    """Over how many of its fits a score is, of a trial that was dropped before it had them all; "" of a whole one."""
    data = facts.experiment.get("data", {})
    fits = (data.get("folds") or 1) * (data.get("repeats") or 1)
    return f", over {len(trial.scores)} of {fits} fits" if 0 < len(trial.scores) < fits else ""


def _of_the_model(verdict: Verdict) -> Iterator[tuple[str, str]]:
    yield words.score(verdict.model_accuracy), "model accuracy: of the one that is exported"
    if average := verdict.report.get("macro avg"):
        yield words.score(average["f1-score"]), "F1 of the exported model, mean over the classes"


def in_short(facts: Facts) -> list[tuple[str, str]]:
    """All else that the summary says, by what it tells of; the finalists have a table of their own."""
    told = by_name(facts)
    return [(name, line.removeprefix(f"{name}: ")) for name, line in told.items() if name not in {"winner", "so far"}]


def _metric(facts: Facts) -> str:
    return words.clean(facts.objective.split()[-1], 40)
