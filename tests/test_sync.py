"""`hpsearch sync` sends MLflow what it has not heard, outside a run."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import odd_trackers
import pytest
from commands import hpsearch
from kept_studies import keep
from stories import EXPERIMENT, began, trial_story

from hpsearch import files, paths
from hpsearch.__main__ import main
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.outbox import Outbox
from hpsearch.records import AttemptBegan, SessionEnded
from hpsearch.study import held, set_aside
from hpsearch.trackers.mlflow_store import client, resolve
from hpsearch.trackers.via_mlflow import Made, study_id
from hpsearch.trial import Attempt, Fit

BODIES = [*began(), *trial_story(0, [0.5, 0.8]), *trial_story(1, [0.4]), SessionEnded(finished=True, reason="done")]


@pytest.fixture
def study(tmp_path, store):
    return keep(tmp_path, BODIES)


@pytest.fixture
def store(tmp_path, empty_store):
    project = paths.Project(tmp_path)
    files.make(project.runs)
    project.mlflow.write_bytes(empty_store)


def with_address(address):
    first, *rest = BODIES
    return [replace(first, experiment={**first.experiment, "tracking": {"mlflow": address}}), *rest]


def sync(root, *words, **more):
    return hpsearch(root, "sync", *words, **more)


@pytest.mark.promise("12", "P8")
def test_everything_is_sent_once_and_again_where_the_database_was_lost(study, tmp_path):
    first = json.loads(sync(tmp_path, "tiny", "--json").stdout)
    log = (tmp_path / "mlruns" / "mlflow.db-wal").stat().st_size
    (tmp_path / "mlruns" / "mlflow.db").unlink()
    lost = json.loads(sync(tmp_path, "tiny", "--json").stdout)
    again = sync(tmp_path, "tiny")

    assert first == lost == {"study": "tiny", "sent": len(BODIES), "waiting": 0, "trouble": ""}
    assert "0 records were sent" in again.stdout
    assert log > 0  # it lay beside the new database, and holds what the old one was told
    assert statuses(tmp_path / "mlruns" / "mlflow.db") == ["FINISHED"] * 3


@pytest.mark.promise("P6")
def test_of_a_killed_study_no_run_stays_running_and_its_report_hangs_on_it(store, tmp_path):
    folder = keep(tmp_path, [*BODIES[:-1], AttemptBegan(Attempt(Fit(2, 2)))])
    folder.report.write_text("a report")
    made = Made(paths.Project(tmp_path), EXPERIMENT, folder)
    outbox = Outbox(folder.ledger, folder.cursor, made)
    outbox.start()
    assert outbox.close(60) == 0
    before = statuses(tmp_path / "mlruns" / "mlflow.db")

    done = sync(tmp_path, "tiny")

    assert before == ["FINISHED", "FINISHED", "RUNNING", "RUNNING"]
    assert statuses(tmp_path / "mlruns" / "mlflow.db") == ["FINISHED", "FINISHED", "KILLED", "KILLED"]
    assert "0 records were sent" in done.stdout
    assert [file.read_text() for file in (tmp_path / "mlruns").rglob("report.html") if file != folder.report] == [
        "a report"
    ]


@pytest.mark.promise("P8")
def test_what_a_study_that_was_set_aside_has_left_to_tell_goes_to_its_own_runs(study, tmp_path):
    study.report.write_text("of the old")
    sync(tmp_path, "tiny")
    first, old = study_id(EXPERIMENT, study), paths.Study(set_aside(study))
    keep(tmp_path, BODIES).report.write_text("of the new")
    sync(tmp_path, "tiny")
    before, more = runs(tmp_path), [BODIES[0], *trial_story(2, [0.9]), BODIES[-1]]
    with closing(Ledger(old.ledger)) as ledger:
        for body in more:
            ledger.write(body)

    done = sync(tmp_path, "tiny.before-1", "--json")

    after = runs(tmp_path)
    changed = {after[run]["data"]["tags"]["hpsearch.study_id"] for run in before if after[run] != before[run]}
    reports = [file.read_text() for file in (tmp_path / "mlruns" / "artifacts").rglob("report.html")]
    assert json.loads(done.stdout)["sent"] == len(more)
    assert changed == {first}
    assert len(after) - len(before) == 1  # the trial that was not told before
    assert sorted(reports) == ["of the new", "of the old"]


def runs(root):
    """Everything that MLflow's database has of each run."""
    own = client(resolve(paths.Project(root)))
    found = own.search_runs([one.experiment_id for one in own.search_experiments()])
    return {run.info.run_id: run.to_dictionary() for run in found}


def statuses(database):
    with closing(sqlite3.connect(database)) as db:
        return sorted(status for (status,) in db.execute("SELECT status FROM runs"))


@pytest.mark.promise("12")
def test_an_mlflow_that_is_still_away_is_told_of_with_what_is_left(study, tmp_path):
    away = sync(tmp_path, "tiny", code=1, MLFLOW_TRACKING_URI="http://user:S3CRET@127.0.0.1:9")

    assert f"MLflow has not heard the last {len(BODIES)} records of tiny" in away.stderr
    assert "S3CRET" not in away.stdout + away.stderr


def test_a_database_that_no_later_try_can_read_is_to_be_moved_away(study, tmp_path, monkeypatch, capsys):
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(b"this is no database")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpsearch.cli.sync.PATIENCE_SECONDS", 0.0)

    assert main(["sync", "tiny"]) == 1

    said = capsys.readouterr().err
    assert f"sqlite:///{tmp_path}/mlruns/mlflow.db" in said
    assert "it is damaged; move it away" in said
    assert "try again later" not in said


def test_what_mlflow_did_not_take_is_told_of_with_the_reason(study, tmp_path, monkeypatch, capsys):
    (tmp_path / "mlruns" / "artifacts").write_text("a file, where MLflow was to make a folder")
    monkeypatch.chdir(tmp_path)

    assert main(["sync", "tiny"]) == 0

    said = capsys.readouterr()
    assert "MLflow has heard all of tiny" in said.out
    assert "warning: MLflow has not taken all of tiny: files of runs not kept: " in said.err
    assert "\n  once that is mended: hpsearch sync tiny\n" in said.err


def test_all_is_told_again_where_the_winner_is_to_be_registered_after_its_study_came_to_its_end(tmp_path):
    folder, project = keep(tmp_path, BODIES), paths.Project(tmp_path)
    registering = {**EXPERIMENT.model_dump(exclude_none=True), "tracking": {"register_as": "digits"}}
    before, later = (Made(project, one, folder) for one in (EXPERIMENT, Experiment.model_validate(registering)))
    outbox = Outbox(folder.ledger, folder.cursor, odd_trackers.Listener(tmp_path, before.place))
    outbox.start()
    assert outbox.close(60) == 0

    waiting = [Outbox(folder.ledger, folder.cursor, made).waiting() for made in (before, later)]

    assert waiting == [0, len(BODIES)]


def test_a_study_that_runs_is_left_alone(study, tmp_path):
    with held(study):
        refused = sync(tmp_path, "tiny", code=5)

    assert f"process {os.getpid()}" in refused.stderr
    assert "hpsearch stop tiny" in refused.stderr
    assert "--name" not in refused.stderr  # which sync does not have


@pytest.mark.parametrize(
    ("address", "words"),
    [("http://***@host", "set MLFLOW_TRACKING_URI"), (False, "is not tracked")],
)
def test_a_study_without_a_usable_address_is_refused_with_the_mend(tmp_path, address, words):
    keep(tmp_path, with_address(address))

    refused = sync(tmp_path, "tiny", code=2, MLFLOW_TRACKING_URI="")

    assert words in refused.stderr


def test_a_misspelt_study_is_refused_with_the_nearest_name(study, tmp_path):
    assert "did you mean 'tiny'" in sync(tmp_path, "tinny", code=2).stderr
