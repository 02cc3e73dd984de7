"""`hpsearch list` has a line for every study of a project, whatever came of it and of its files."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner
from stories import EXPERIMENT, began, finals, trial_story

from hpsearch import files, paths
from hpsearch.cli.show import show
from hpsearch.cli.studies import best, list_studies
from hpsearch.errors import NothingCompleted, StateDamaged
from hpsearch.ledger import Ledger
from hpsearch.outcomes import outcomes
from hpsearch.records import Asked, SessionEnded
from hpsearch.report.facts import gather
from hpsearch.study import held
from hpsearch.trial import Status, Trial


@pytest.fixture
def project(tmp_path, monkeypatch):
    files.make(tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    return paths.Project(tmp_path)


def begin(project, name, *trials, after=()):
    """A study of this name with trials that came to these scores; the last is dropped after an epoch."""
    files.make(project.study(name).folder)
    scores = [*((score, Status.COMPLETED) for score in trials[:-1]), *((score, Status.PRUNED) for score in trials[-1:])]
    with closing(Ledger(project.study(name).ledger)) as ledger:
        for body in began(EXPERIMENT):
            ledger.write(body)
        for number, (score, status) in enumerate(scores):
            for body in (Asked(Trial(number)), *trial_story(number, [score], status)):
                ledger.write(body)
        for body in after:
            ledger.write(body)


def listed():
    return {line["study"]: line for line in json.loads(CliRunner().invoke(list_studies, ["--json"]).output)}


def test_the_best_of_a_study_is_the_completed_trial_that_is_shown_to_lead(project):
    begin(project, "tiny", 0.6, 0.7, 0.9)

    line = listed()["tiny"]

    assert (line["best"], line["trials"], line["state"]) == (0.7, 3, "interrupted")
    assert line["best"] == gather(outcomes(project, "tiny")).best.score


def test_the_best_of_a_study_does_not_fall_where_another_trial_wins(project):
    begin(project, "tiny", 0.6, 0.7, 0.9, after=[*finals(), SessionEnded(finished=True, reason="enough")])

    line = listed()["tiny"]

    assert (line["best"], line["state"]) == (0.7, "finished")
    assert line["expected_accuracy"] == pytest.approx(0.8)


def test_a_study_that_searches_again_after_its_finals_is_not_finished_and_has_no_winner(project):
    end = SessionEnded(finished=True, reason="enough")
    again = [*began(EXPERIMENT), Asked(Trial(3)), *trial_story(3, [0.8])]
    begin(project, "tiny", 0.6, 0.7, 0.9, after=[*finals(), end, *again])

    line = listed()["tiny"]

    assert (line["best"], line["state"], line["expected_accuracy"]) == (0.8, "interrupted", None)
    assert isinstance(CliRunner().invoke(best, ["tiny"]).exception, NothingCompleted)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "hpsearch init\n"),
        (["b.toml", "a b.toml"], "hpsearch run 'experiments/a b.toml'\n"),
        (["a.toml", "quickstart.toml"], "hpsearch run experiments/quickstart.toml\n"),
    ],
)
def test_a_project_without_studies_is_told_a_command_that_begins_one(project, files, words):
    for name in files:
        (project.root / "experiments" / name).touch()

    assert CliRunner().invoke(list_studies).output == f"no studies yet; begin with: {words}"


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("interrupted; what was done is kept", "interrupted"),
        ("no trial completed", "failed"),
        ("every trial failed in one way", "failed"),
    ],
)
def test_a_study_that_came_to_nothing_has_failed_and_one_that_was_left_is_interrupted(project, reason, state):
    begin(project, "tiny", 0.6, after=[SessionEnded(finished=False, reason=reason)])

    assert listed()["tiny"]["state"] == state


def test_what_a_run_left_that_was_killed_while_it_fetched_its_data_is_no_study_and_one_that_fetches_them_is(project):
    begin(project, "tiny", 0.6)
    for name in ("fetching", "killed"):
        files.make(project.study(name).folder)
        Ledger(project.study(name).ledger).close()

    with held(project.study("fetching")):
        lines = listed()

    assert {name: line["state"] for name, line in lines.items()} == {"fetching": "running", "tiny": "interrupted"}


@pytest.mark.promise("37")
def test_a_study_whose_ledger_is_gone_is_listed_as_damaged_and_shown_with_its_mend(project):
    for name in ("gone", "tiny"):
        begin(project, name, 0.6, 0.7)
    project.study("gone").ledger.rename(project.study("gone").backup)

    lines, shown = listed(), CliRunner().invoke(show, ["gone"]).exception

    assert {name: (line["state"], line["best"]) for name, line in lines.items()} == {
        "gone": ("damaged", None), "tiny": ("interrupted", 0.6),
    }  # fmt: skip
    assert isinstance(shown, StateDamaged)
    assert "it is missing, though the study was begun" in str(shown)
    assert "hpsearch repair gone" in str(shown)


@pytest.mark.promise("37")
def test_a_study_that_cannot_be_opened_does_not_keep_the_others_from_being_listed(project):
    begin(project, "tiny", 0.6, 0.7)
    files.make(project.study("odd").ledger)  # a folder where a file should be

    assert {name: line["state"] for name, line in listed().items()} == {
        "odd": "unreadable",
        "tiny": "interrupted",
    }


@pytest.mark.skipif(sys.platform == "win32" or (os.getuid() == 0 and not shutil.which("setpriv")), reason="no modes")
def test_a_study_whose_folder_may_not_be_looked_into_is_listed_as_unreadable(project):
    for name in ("open", "unnamed", "closed"):
        begin(project, name, 0.6)
    (project.runs / "studies" / "no study").mkdir()
    (project.runs / "studies" / "notes.txt").touch()
    as_owner = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    project.study("unnamed").folder.chmod(0o400)
    project.study("closed").folder.chmod(0)

    try:
        done = subprocess.run(
            [*as_owner, sys.executable, "-m", "hpsearch", "list", "--json"], capture_output=True, text=True, check=False
        )
    finally:
        for name in ("unnamed", "closed"):
            project.study(name).folder.chmod(0o700)

    assert done.returncode == 0, done.stderr
    states = {line["study"]: line["state"] for line in json.loads(done.stdout)}
    assert states == {"open": "interrupted", "unnamed": "unreadable", "closed": "unreadable"}
