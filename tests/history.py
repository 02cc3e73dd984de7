"""Says what is wrong with a study's history, by its ledger, its workers' diary, MLflow's store and the processes.

The diary is written by workers alone (see fake_parts/fake_training.py) and knows nothing of the ledger, so that the two
bear witness of each other. Each check gives its findings in words; nothing found is nothing wrong.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from hpsearch.errors import StateDamaged
from hpsearch.ledger import Ledger
from hpsearch.records import Asked, AttemptBegan, News, SessionBegan, TestOpened, Verdict
from hpsearch.trial import AttemptEnd, How, Measure, TrialResult

Entry = Mapping[str, Any]
TERMINAL = {"FINISHED", "FAILED", "KILLED"}


def story(ledger: Path) -> list[News]:
    """All records; raises StateDamaged."""
    with closing(Ledger(ledger, writer=False)) as opened:
        return list(opened.read())


def diary(file: Path) -> list[Entry]:
    """The entries in the order in which they were written."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def lost(before: Sequence[News], after: Sequence[News]) -> Iterator[str]:
    """What was durable at one time and is not there, or is another, later (I1)."""
    for was, now in zip(before, after, strict=False):
        if was != now:
            yield f"record {was.number} was {was.body}, and is {now.body}"
    if len(after) < len(before):
        yield f"{len(before) - len(after)} records are gone"


def doubled(records: Iterable[News]) -> Iterator[str]:
    """Trials with two results, and fits that ended well twice (I2)."""
    bodies = [news.body for news in records]
    results = Counter(body.trial.number for body in bodies if isinstance(body, TrialResult))
    yield from (f"trial {number} has {many} results" for number, many in results.items() if many > 1)
    ends = Counter(
        body.attempt.fit.name for body in bodies if isinstance(body, AttemptEnd) and body.how is How.FINISHED
    )
    yield from (f"{name} ended {many} times" for name, many in ends.items() if many > 1)


def overlapping(entries: Iterable[Entry]) -> Iterator[str]:
    """Attempts at one fit that were under way at one time (I3)."""
    by_fit: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry["at"]):
        by_fit[entry["fit"]].append(entry)
    for name, of_fit in by_fit.items():
        numbers = [entry["attempt"] for entry in of_fit]
        if numbers != sorted(numbers):
            yield f"attempts at {name} overlapped: {numbers}"


def unlike(entries: Iterable[Entry], records: Iterable[News]) -> Iterator[str]:
    """Epochs that two attempts trained to different scores, and measures that no worker ever made."""
    scores: dict[tuple[str, int], set[float]] = defaultdict(set)
    for entry in entries:
        if entry["what"] == "epoch":
            scores[entry["fit"], entry["epoch"]].add(entry["score"])
    yield from (f"epoch {epoch} of {fit} came out differently" for (fit, epoch), one in scores.items() if len(one) > 1)
    for news in records:
        match news.body:
            case Measure(attempt, epoch, metrics) if metrics["val_accuracy"] not in scores[attempt.fit.name, epoch]:
                yield f"nobody measured what record {news.number} says of epoch {epoch} of {attempt.fit.name}"


def miscounted(records: Iterable[News], budget: int) -> Iterator[str]:
    """Trials that are too few, too many, out of number or without a result (I5)."""
    bodies = [news.body for news in records]
    asked = [body.trial.number for body in bodies if isinstance(body, Asked)]
    if asked != list(range(budget)):
        yield f"{budget} trials were wanted, and asked for were {asked}"
    ended = {body.trial.number for body in bodies if isinstance(body, TrialResult)}
    yield from (f"trial {number} has no result" for number in sorted(set(asked) - ended))


def renumbered(records: Iterable[News]) -> Iterator[str]:
    """Attempts whose numbers do not count up by one."""
    last: dict[str, int] = defaultdict(int)
    for news in records:
        if isinstance(news.body, AttemptBegan):
            attempt = news.body.attempt
            if attempt.number != last[attempt.fit.name] + 1:
                yield f"attempt {attempt.number} at {attempt.fit.name} came after {last[attempt.fit.name]}"
            last[attempt.fit.name] = attempt.number


def damaged(ledger: Path) -> Iterator[str]:
    """What SQLite or our own checksums find wrong with the file (I6)."""
    try:
        story(ledger)
    except StateDamaged as error:
        yield str(error)
        return
    with closing(sqlite3.connect(ledger)) as db:
        said = db.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        yield f"SQLite says: {said}"


def still_running(store: Path) -> Iterator[str]:
    """Runs in MLflow's SQLite store that are in no terminal state (I4), or tell of one thing twice."""
    with closing(sqlite3.connect(store)) as db:
        runs = db.execute("SELECT name, status FROM runs WHERE lifecycle_stage = 'active'").fetchall()
    yield from (f"MLflow's run {name} is {status}" for name, status in runs if status not in TERMINAL)
    yield from (
        f"{many} runs are called {name}" for name, many in Counter(name for name, _ in runs).items() if many > 1
    )


def left_over(mark: str) -> Iterator[str]:
    """Processes whose environment has this `NAME=value` (I7)."""
    name, _, value = mark.partition("=")
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                yield f"process {process.pid} is still there: {' '.join(process.cmdline())[:200]}"
        except psutil.Error:
            continue


def wasted(entries: Iterable[Entry]) -> int:
    """How many epochs were trained more than once."""
    trained = Counter((entry["fit"], entry["epoch"]) for entry in entries if entry["what"] == "epoch")
    return sum(many - 1 for many in trained.values())


def losses(records: Iterable[News]) -> Iterator[str]:
    """The attempts that were lost, in words, to see why a fit was given up."""
    for news in records:
        match news.body:
            case AttemptEnd(attempt, How.LOST, reason=reason):
                yield f"record {news.number}: attempt {attempt.number} at {attempt.fit.name} was lost: {reason}"


def lost_now(records: Iterable[News]) -> Counter[str]:
    """How often each fit that is under way was lost in the last session."""
    losses: Counter[str] = Counter()
    under_way = set()
    for news in records:
        match news.body:
            case SessionBegan():
                losses.clear()
                under_way.clear()
            case AttemptBegan(attempt):
                under_way.add(attempt.fit.name)
            case AttemptEnd(attempt, How.LOST):
                losses[attempt.fit.name] += 1
            case AttemptEnd(attempt):
                under_way.discard(attempt.fit.name)
    return Counter({fit: losses[fit] for fit in under_way})


def reopened(records: Iterable[News]) -> Iterator[str]:
    """A test split that was opened more than once."""
    openings = [news.number for news in records if isinstance(news.body, TestOpened)]
    if len(openings) > 1:
        yield f"the test split was opened in records {openings}"


def verdicts(records: Iterable[News]) -> list[Verdict]:
    """What the finals found."""
    return [news.body for news in records if isinstance(news.body, Verdict)]


def table(records: Iterable[News]) -> list[Any]:
    """What a study came to: every trial's values and outcome, but not its seconds."""
    values: dict[int, dict[str, Any]] = defaultdict(dict)
    rows = {}
    for news in records:
        match news.body:
            case TrialResult(trial) as result:
                values[trial.number] = dict(trial.values)
                row = (trial.number, values[trial.number], result.status, result.score, result.best_epoch)
                rows[trial.number] = (*row, dict(result.metrics), result.failure and result.failure.kind)
    return [rows[number] for number in sorted(rows)]
