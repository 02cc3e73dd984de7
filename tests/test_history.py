"""The history checker finds each kind of wrong history, and nothing in a right one."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import history
import pytest

from hpsearch.ledger import Ledger
from hpsearch.records import Asked, AttemptBegan, SessionBegan
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status, Trial, TrialResult

FIT = Fit(0, 5)
FIRST, SECOND = Attempt(FIT), Attempt(FIT, 2)


def right():
    return [
        Asked(Trial(0)),
        AttemptBegan(FIRST),
        Measure(FIRST, 1, {"val_accuracy": 0.5}, 0.1),
        AttemptEnd(FIRST, How.LOST, 0.1),
        AttemptBegan(SECOND),
        AttemptEnd(SECOND, How.FINISHED, 0.2, 0.5, 1, 1),
        TrialResult(Trial(0, {"x": 1}), Status.COMPLETED, 0.5, 1),
    ]


def entry(what, attempt, at, **more):
    return {"what": what, "fit": FIT.name, "attempt": attempt, "pid": 1, "at": at, **more}


DIARY = [
    entry("began", 1, 1.0),
    entry("epoch", 1, 2.0, epoch=1, score=0.5),
    entry("began", 2, 3.0),
    entry("epoch", 2, 4.0, epoch=1, score=0.5),
    entry("ended", 2, 5.0, how="finished", score=0.5),
]


@pytest.fixture
def told(tmp_path):
    def told(bodies, name="ledger.db"):
        with closing(Ledger(tmp_path / name)) as ledger:
            for body in bodies:
                ledger.write(body)
        return history.story(tmp_path / name)

    return told


def found(records, entries):
    return [
        *history.doubled(records), *history.overlapping(entries), *history.unlike(entries, records),
        *history.miscounted(records, 1), *history.renumbered(records),
    ]  # fmt: skip


def test_nothing_is_found_in_a_right_history(told):
    records = told(right())

    assert found(records, DIARY) == []
    assert list(history.lost(records[:3], records)) == []
    assert history.wasted(DIARY) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda bodies: bodies.append(bodies[-1]), "trial 0 has 2 results"),
        (lambda bodies: bodies.append(bodies[-2]), "ended 2 times"),
        (lambda bodies: bodies.pop(), "trial 0 has no result"),
        (lambda bodies: bodies.insert(1, Asked(Trial(1))), "1 trials were wanted, and asked for were [0, 1]"),
        (lambda bodies: bodies.pop(0), "asked for were []"),
        (lambda bodies: bodies.insert(1, Asked(Trial(0))), "asked for were [0, 0]"),
        (lambda bodies: bodies.remove(AttemptBegan(FIRST)), "attempt 2 at search-0000-r0-f0 came after 0"),
        (lambda bodies: bodies.insert(3, Measure(FIRST, 2, {"val_accuracy": 0.6}, 0.1)), "nobody measured"),
    ],
)
def test_a_wrong_ledger_is_found_out(told, wrong, words):
    bodies = right()

    wrong(bodies)

    assert any(words in one for one in found(told(bodies), DIARY))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda entries: entries.append(entry("epoch", 1, 4.5, epoch=2, score=0.7)), "overlapped"),
        (lambda entries: entries.append(entry("epoch", 2, 6.0, epoch=1, score=0.4)), "came out differently"),
    ],
)
def test_a_wrong_diary_is_found_out(told, wrong, words):
    entries = list(DIARY)

    wrong(entries)

    assert any(words in one for one in found(told(right()), entries))


def test_a_record_that_is_gone_or_changed_later_is_found_out(told):
    before, shorter = told(right()), told(right()[:-1], "shorter.db")
    bodies = right()
    bodies[-1] = TrialResult(Trial(0, {"x": 1}), Status.FAILED, failure=Failure("lost", ""))

    assert "1 records are gone" in list(history.lost(before, shorter))
    assert any("record 7 was" in one for one in history.lost(before, told(bodies, "changed.db")))


def test_a_damaged_ledger_is_found_out(told, tmp_path):
    told(right())
    assert list(history.damaged(tmp_path / "ledger.db")) == []

    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("UPDATE log SET searched = 3.5 WHERE number = 2")
        db.commit()

    assert list(history.damaged(tmp_path / "ledger.db"))


def test_runs_that_still_run_or_came_twice_are_found_out(tmp_path):
    store = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(store)) as db:
        db.execute("CREATE TABLE runs (name TEXT, status TEXT, lifecycle_stage TEXT)")
        runs = [("a", "RUNNING"), ("b", "FINISHED"), ("b", "FAILED"), ("c", "KILLED")]
        db.executemany("INSERT INTO runs VALUES (?, ?, 'active')", runs)
        db.commit()

    assert sorted(history.still_running(store)) == ["2 runs are called b", "MLflow's run a is RUNNING"]


def test_a_process_that_is_left_is_found_out():
    words = [sys.executable, "-c", "print(flush=True); input()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, env=os.environ | {"MARK": "left over"}) as left:
        left.stdout.readline()  # Linux shows no environment of a process that has not quite begun
        while_there = list(history.left_over("MARK=left over"))
        left.communicate(b"\n")

    assert any(f"process {left.pid} " in one for one in while_there)
    assert list(history.left_over("MARK=left over")) == []


def test_two_studies_with_other_outcomes_have_other_tables(told):
    bodies = right()
    bodies[-1] = TrialResult(Trial(0, {"x": 1}), Status.COMPLETED, 0.51, 1)

    assert history.table(told(right())) != history.table(told(bodies, "other.db"))


def test_losses_count_for_the_fits_that_are_under_way_in_the_last_session(told):
    session = SessionBegan("a", {}, {}, (), {})
    lost = [AttemptBegan(SECOND), AttemptEnd(SECOND, How.LOST, 0.1), AttemptBegan(Attempt(FIT, 3))]

    assert history.lost_now(told([session, *right()])) == {}
    assert history.lost_now(told([session, *right()[:4], *lost], "lost.db")) == {FIT.name: 2}
    assert history.lost_now(told([*right()[:4], session, *lost], "again.db")) == {FIT.name: 1}
