"""A study that was killed, or left, has no running trials, whoever tells of it."""

import json
from contextlib import ExitStack

import optuna
import pytest
from kept_studies import keep
from stories import began, told, trial_story

from hpsearch.__main__ import main
from hpsearch.cut_off import ended
from hpsearch.notebook import open_study
from hpsearch.records import Asked, AttemptBegan, SessionEnded
from hpsearch.report.facts import gather
from hpsearch.state import State
from hpsearch.study import held, is_held
from hpsearch.trial import Attempt, Fit, Trial

COMPLETED = [Asked(Trial(0)), *trial_story(0, [0.5, 0.8])]
UNDER_WAY = [Asked(Trial(1)), *trial_story(1, [0.6, 0.7])[:4], Asked(Trial(2))]
LEFT = [SessionEnded(finished=False, reason="interrupted")]


@pytest.fixture(params=["killed", "left", "running", "synced"])
def study(request, tmp_path, monkeypatch):
    folder = keep(tmp_path, [*began(), *COMPLETED, *UNDER_WAY, *(LEFT if request.param == "left" else [])])
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        if request.param in {"running", "synced"}:
            stack.enter_context(held(folder, doing="run" if request.param == "running" else "sync"))
        yield request.param


def json_of(capsys, *words):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_commands_tell_the_same_of_a_trial_without_a_result(study, tmp_path, capsys):
    expected = {0: "completed", 1: "running" if study == "running" else "interrupted", 2: "asked"}

    shown, listed = json_of(capsys, "show", "tiny"), json_of(capsys, "list")[0]
    rows = json_of(capsys, "table", "tiny", "--optuna", f"sqlite:///{tmp_path}/optuna.db")
    told_alone = {number: json_of(capsys, "trial", "tiny", str(number))["status"] for number in expected}
    assert main(["show", "tiny"]) == main(["report", "tiny", "--markdown"]) == 0

    out = capsys.readouterr().out
    assert {trial["number"]: trial["status"] for trial in shown["trials"]} == expected
    assert shown["counts"] == dict.fromkeys(expected.values(), 1)
    assert {row["number"]: row["status"] for row in rows} == told_alone == expected
    assert (listed["state"], listed["trials"]) == ("running" if study == "running" else "interrupted", 1)
    assert [cells for cells in map(str.split, out.splitlines()) if cells[:2] == ["1", expected[1]]] != []
    assert f"| 1 | {expected[1]} |" in out
    assert dict(open_study("tiny").trials.set_index("number")["status"]) == expected
    states = [
        trial.state.name
        for trial in optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/optuna.db").trials
    ]
    assert states == ["COMPLETE", "RUNNING" if study == "running" else "WAITING", "WAITING"]


def test_a_killed_study_says_so_and_how_to_go_on(tmp_path, monkeypatch, capsys):
    keep(tmp_path, [*began(), *COMPLETED, *UNDER_WAY])
    monkeypatch.chdir(tmp_path)

    main(["show", "tiny"])

    out = capsys.readouterr().out
    assert "stopped: interrupted without a word; what was done is kept, and the same command goes on" in out


def test_what_was_under_way_in_a_killed_session_was_lost_with_it():
    story = told([*began(), *COMPLETED, *UNDER_WAY])

    killed, lasting = (gather(ended(story, lambda holds=holds: holds)) for holds in (False, True))

    assert [one.how for one in killed.work] == ["finished", "lost"]
    assert [one.how for one in lasting.work] == ["finished", ""]
    assert killed.session_spans == lasting.session_spans


def test_a_trial_of_an_earlier_session_is_running_once_it_is_begun_again():
    state = State()
    for news in told([*began(), *COMPLETED, *UNDER_WAY, *LEFT, *began()]):
        state.take(news)
    waiting = state.status(1)

    state.take(told([AttemptBegan(Attempt(Fit(1, 1), 2))])[0])

    assert (waiting, state.status(1), state.status(2)) == ("interrupted", "running", "asked")


@pytest.mark.parametrize("bodies", [[], began(), [*began(), *LEFT, *began()]])
def test_a_story_that_breaks_off_gets_one_end_and_one_with_an_end_none(bodies):
    story = told(bodies)

    whole = list(ended(story, lambda: False))

    assert whole[:-1] == story == list(ended(story, lambda: True))
    assert whole[-1].number == len(story) + 1
    assert list(ended(whole, lambda: False)) == whole


def test_to_ask_whether_a_study_is_held_makes_no_file_and_keeps_nobody_from_it(tmp_path):
    folder = keep(tmp_path, began())

    asked = is_held(folder)

    assert not asked
    assert not folder.lock.exists()
    with held(folder):
        assert is_held(folder)
    assert not is_held(folder)


def test_a_session_that_began_while_its_story_was_read_is_not_called_killed():
    story, looks = told([*began(), *UNDER_WAY]), iter([False, True])

    assert list(ended(story, lambda: next(looks))) == story


def test_a_study_killed_before_its_first_record_is_shown_by_its_name(tmp_path, monkeypatch, capsys):
    keep(tmp_path, [])
    monkeypatch.chdir(tmp_path)

    assert main(["show", "tiny"]) == 0

    assert "tiny: 0 trials in 0.0 s of searching" in capsys.readouterr().out
