"""Restores a damaged ledger from what is sound of it or from a backup, and keeps the damaged file aside.

The records of a ledger are a story that may end anywhere, so its sound beginning is a study that can go on.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hpsearch import files, ledger_file, paths, schema
from hpsearch.errors import HpsearchError, NeedsNewer, StateDamaged, first_line
from hpsearch.ledger import Ledger, Row
from hpsearch.state import State

REPAIRED = "ledger.repaired.db"  # what a repair that was killed left whole


@dataclass(frozen=True)
class Repaired:
    """What a repair came to; `lost` counts the records that the damaged file had beyond those kept, where it said so.

    `source` is the file that the records are from, `aside` where the damaged one is kept, both "" when nothing was
    wrong, `aside` also where it was gone; `trials` have their results, `unfinished` ones begin anew.
    """

    study: str
    wrong: str
    source: str
    aside: str
    records: int
    trials: int
    unfinished: int
    lost: int


@dataclass(frozen=True)
class _Found:
    """The sound records of a file from the first on, what is wrong with it ("" for nothing), and how many it had."""

    file: Path
    rows: Sequence[Row]
    wrong: str
    had: int


def repair(study: paths.Study) -> Repaired:
    """Put the ledger right, for one who holds the study; raise StateDamaged when nothing of it is left.

    One that cannot be looked at, because another process has it locked or the disk is full, is not damaged for that:
    FolderUnusable.
    """
    ours = _look_at(study.ledger)
    if not ours.wrong:
        return _told(study, _state(study.ledger), ours, ours)
    best = max((ours, *map(_look_at, _spare(study))), key=lambda found: len(found.rows))
    if not best.rows:
        message = f"{study.ledger}: {ours.wrong}\n  no record can be restored; begin anew with --fresh"
        raise StateDamaged(message)
    fresh = study.ledger.with_name(REPAIRED)
    _write(fresh, best.rows)
    state = _state(fresh)
    _forget_unfinished(study, state)  # before the ledger is sound again: one killed on the way is repaired once more
    study.cursor.unlink(missing_ok=True)  # new records will have numbers that MLflow has heard
    aside = _set_aside(study.ledger)
    fresh.replace(study.ledger)
    return _told(study, state, best, ours, aside)


def _spare(study: paths.Study) -> list[Path]:
    """What the records may be in beside the ledger; without all these, what was set aside, which may be much older."""
    near = [file for file in (study.backup, study.ledger.with_name(REPAIRED)) if file.exists()]
    return near if near or study.ledger.exists() else sorted(study.folder.glob(paths.LEDGERS))


def _look_at(file: Path) -> _Found:
    rows: list[Row] = []
    wrong, had = "", 0
    try:
        ledger_file.refuse_unsound(file)
    except StateDamaged as damaged:
        wrong = first_line(str(damaged))
    try:
        with closing(Ledger(file, writer=False)) as ledger:
            had = ledger.waiting(0)
            for row in ledger.rows():
                rows.append(row)  # noqa: PERF402  # what was read before the damage counts
            ledger.check()
    except NeedsNewer:
        raise
    except HpsearchError as damaged:
        if ledger_file.out_of_reach(file, damaged):
            raise
        wrong = wrong or first_line(str(damaged))
    return _Found(file, rows, wrong, max(had, len(rows)))


def _write(file: Path, rows: Sequence[Row]) -> None:
    def fill(temporary: Path) -> None:
        schema.create(temporary)
        with closing(sqlite3.connect(temporary)) as db, db:
            db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)

    with ledger_file.in_words(file):
        files.write(file, fill)


def _set_aside(ledger: Path) -> str:
    """Move the file, then its write-ahead log: without its ledger a log is no harm, the other way round it would be.

    Gives the new name, "" where there was no file.
    """
    number = 1
    while (aside := ledger.with_name(f"ledger.damaged-{number}.db")).exists():
        number += 1
    was_there = ledger.exists()
    for ending in ("", "-wal", "-journal"):
        if (part := ledger.with_name(f"{ledger.name}{ending}")).exists():
            part.rename(aside.with_name(f"{aside.name}{ending}"))
    ledger.with_name(f"{ledger.name}-shm").unlink(missing_ok=True)
    return aside.name if was_there else ""


def _state(file: Path) -> State:
    state = State()
    with closing(Ledger(file, writer=False)) as ledger:
        for news in ledger.read():
            state.take(news)
    return state


def _told(study: paths.Study, state: State, best: _Found, ours: _Found, aside: str = "") -> Repaired:
    ended = len(state.results)
    return Repaired(
        study.folder.name, ours.wrong, best.file.name if ours.wrong else "", aside, len(best.rows),
        ended, len(state.courses) - ended, ours.had - len(best.rows) if ours.wrong else 0,
    )  # fmt: skip


def _forget_unfinished(study: paths.Study, state: State) -> None:
    """What an unfinished fit left may belong to values that the restored ledger does not know: it begins anew."""
    finals = {fit.name for fit in state.finals}
    ended = {result.trial.number for result in state.results}
    for folder in study.fits.glob("*-*-r*-f*"):
        kind, number, *_ = folder.name.split("-")
        if folder.name not in finals and not (kind == "search" and int(number) in ended):
            shutil.rmtree(folder)
