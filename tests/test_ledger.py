"""The ledger keeps what was written, in order, and says so when it does not."""

import errno
import json
import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hpsearch.errors import StateDamaged
from hpsearch.ledger import Ledger, checksum
from hpsearch.records import Answered, Asked, Comparison, Finalist, FinalistsChosen, FoldComparison, Verdict
from hpsearch.records import TestCurve as Curve
from hpsearch.space import Condition, Parameter
from hpsearch.trial import Attempt, Built, Fit, Measure, Trial

ASKED = Asked(Trial(0, {"whole": 1, "part": 1.0, "truth": True, "word": "1"}))
CHOICE = Parameter("a", "choice", 1, choices=(1, 2.0, True, "x"), conditions=(Condition("b", (True,)),))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def written(path, *bodies):
    ledger = Ledger(path)
    for body in bodies:
        ledger.write(body, durable=True)
    ledger.close()


def test_what_was_written_is_read_again_in_order_with_every_type_kept(path):
    bodies = [ASKED, Answered(0, CHOICE, True), FinalistsChosen((3, 1))]

    written(path, *bodies)

    read = list(Ledger(path, writer=False).read())
    assert [news.body for news in read] == bodies
    assert [news.number for news in read] == [1, 2, 3]
    assert {name: type(value) for name, value in read[0].body.trial.values.items()} == {
        "whole": int, "part": float, "truth": bool, "word": str,
    }  # fmt: skip


def test_numbers_that_json_does_not_know_survive(path):
    written(path, Measure(Attempt(Fit(0, 1)), 1, {"loss": math.nan, "val_loss": -math.inf}, 0.1))

    (news,) = Ledger(path, writer=False).read()

    assert math.isnan(news.body.metrics["loss"])
    assert news.body.metrics["val_loss"] == -math.inf


def test_a_verdict_with_numbers_that_json_does_not_know_can_be_read_again(path):
    finalist, compared = Finalist(1, (math.inf,), (math.nan,)), Comparison(2, 1, 1, 1.0, math.nan, (math.nan, math.inf))
    bodies = [
        Curve("final-0001-r0-f0", (math.nan,)),
        Verdict(
            1, "final-0001-r0-f0", (finalist,), 1, math.nan, {}, (), (), interval=(math.nan, math.inf),
            comparisons=(compared,), fold_comparisons=(FoldComparison(2, math.nan, (math.nan, math.inf)),),
            optimism=-math.inf,
        ),
    ]  # fmt: skip

    written(path, *bodies)

    assert [repr(news.body) for news in Ledger(path, writer=False).read()] == list(map(repr, bodies))


def test_a_model_from_before_warmups_were_told_has_none(path):
    written(path, Built(Attempt(Fit(0, 1)), 100, "a model", "graph", 2))
    with sqlite3.connect(path) as db:
        (*marks, text) = db.execute("SELECT number, time_ms, searched, kind, body FROM log").fetchone()
        old = json.dumps({name: value for name, value in json.loads(text).items() if name != "warmup_epochs"}).encode()
        db.execute("UPDATE log SET body = ?, checksum = ?", (old, checksum(*marks, old)))

    (news,) = Ledger(path, writer=False).read()

    assert news.body.warmup_epochs == 0


def test_a_ledger_on_a_mount_that_shows_another_owner_is_written_to(path, monkeypatch):
    def refused(path, *_args, **_kind):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    monkeypatch.setattr(Path, "chmod", refused)
    written(path, ASKED)

    assert [news.body for news in Ledger(path, writer=False).read()] == [ASKED]


def test_a_reader_sees_only_what_is_committed(path):
    ledger = Ledger(path)
    ledger.write(ASKED, durable=True)
    ledger.write(ASKED)

    seen = list(Ledger(path, writer=False).read())

    assert len(seen) == 1
    ledger.close()
    assert len(list(Ledger(path, writer=False).read())) == 2


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE log SET body = CAST(replace(CAST(body AS TEXT), '1', '2') AS BLOB) WHERE number = 2",
        "UPDATE log SET searched = 5.0 WHERE number = 2",
        "UPDATE log SET kind = 'Nonsense' WHERE number = 2",
        "DELETE FROM log WHERE number = 2",
    ],
)
def test_a_changed_or_missing_record_is_refused_by_its_number(path, harm):
    written(path, ASKED, FinalistsChosen((1,)), ASKED)
    with sqlite3.connect(path) as db:
        db.execute(harm)

    with pytest.raises(StateDamaged, match="record 2"):
        list(Ledger(path, writer=False).read())


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\x00" + b"\x00" * 50])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path, content):
    path.write_bytes(content)

    with pytest.raises(StateDamaged, match="damaged"):
        Ledger(path)

    assert path.read_bytes() == content


def test_a_ledger_of_a_newer_program_is_refused(path):
    written(path, ASKED)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(StateDamaged, match="newer hpsearch"):
        Ledger(path)


def test_some_kinds_are_recalled_in_their_order(path):
    measured = Measure(Attempt(Fit(0, 1)), 1, {"loss": 0.5}, 0.1)
    written(path, ASKED, measured, FinalistsChosen((1,)), ASKED, measured)

    recalled = list(Ledger(path, writer=False).recall((Measure, FinalistsChosen)))

    assert [news.number for news in recalled] == [2, 3, 5]
    assert [news.body for news in recalled] == [measured, FinalistsChosen((1,)), measured]


def test_damage_that_is_met_while_records_are_recalled_is_told_as_such(path):
    with closing(Ledger(path)) as writer:
        for _ in range(300):
            writer.write(ASKED)
    with closing(Ledger(path, writer=False)) as ledger:
        content = path.read_bytes()
        path.write_bytes(content[:4096].ljust(len(content), b"\0"))

        with pytest.raises(StateDamaged, match="the study's ledger is damaged"):
            list(ledger.recall([Asked]))


def test_answers_to_one_question_share_it_and_like_questions_stay_apart(path):
    ones, truths = (Parameter("a", "choice", choices[0], choices=choices) for choices in ((1, 0), (True, False)))
    written(path, Answered(0, ones, 1), Answered(1, ones, 0), Answered(2, truths, True))

    first, second, third = (news.body for news in Ledger(path, writer=False).read())

    assert first.parameter is second.parameter
    assert [type(choice) for choice in third.parameter.choices] == [bool, bool]
    assert [type(answer.value) for answer in (first, second, third)] == [int, int, bool]


def test_an_answer_in_odd_words_is_read_as_it_was_written(path):
    odd = Parameter('a","value":1', "choice", '"}', choices=('"}', '},"value":2}', "\n"))
    written(path, Answered(0, odd, '},"value":2}'))

    (news,) = Ledger(path, writer=False).read()

    assert news.body == Answered(0, odd, '},"value":2}')


def test_waiting_records_are_counted_without_reading_them(path):
    written(path, ASKED, ASKED, ASKED)

    ledger = Ledger(path, writer=False)

    assert [ledger.waiting(after) for after in (0, 2, 3)] == [3, 1, 0]
