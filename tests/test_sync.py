"""`hpsearch sync` sends MLflow what it has not heard, outside a run."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from stories import began, trial_story

from hpsearch import paths
from hpsearch.ledger import Ledger
from hpsearch.records import SessionEnded
from hpsearch.study import held

BODIES = [*began(), *trial_story(0, [0.5, 0.8]), *trial_story(1, [0.4]), SessionEnded(finished=True, reason="done")]


@pytest.fixture
def study(tmp_path):
    return written(tmp_path, BODIES)


def written(root, bodies):
    folder = paths.Project(root).study("tiny")
    paths.make(folder.folder)
    with closing(Ledger(folder.ledger)) as ledger:
        for body in bodies:
            ledger.write(body)
    return folder


def with_address(address):
    first, *rest = BODIES
    return [replace(first, experiment={**first.experiment, "tracking": {"mlflow": address}}), *rest]


def sync(root, *words, code=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", "sync", *words],
        cwd=root, env=os.environ | environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.promise("12", "P8")
def test_everything_is_sent_once_and_then_there_is_nothing_left_to_send(study, tmp_path):
    first = json.loads(sync(tmp_path, "tiny", "--json").stdout)
    again = sync(tmp_path, "tiny")

    assert first == {"study": "tiny", "sent": len(BODIES), "waiting": 0, "trouble": ""}
    assert "0 records were sent" in again.stdout
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as db:
        assert db.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)] * 3


@pytest.mark.promise("12")
def test_an_mlflow_that_is_still_away_is_told_of_with_what_is_left(study, tmp_path):
    away = sync(tmp_path, "tiny", code=1, MLFLOW_TRACKING_URI="http://user:S3CRET@127.0.0.1:9")

    assert f"MLflow has not heard the last {len(BODIES)} records of tiny" in away.stderr
    assert "S3CRET" not in away.stdout + away.stderr


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
    written(tmp_path, with_address(address))

    refused = sync(tmp_path, "tiny", code=2, MLFLOW_TRACKING_URI="")

    assert words in refused.stderr


def test_a_misspelt_study_is_refused_with_the_nearest_name(study, tmp_path):
    assert "did you mean 'tiny'" in sync(tmp_path, "tinny", code=2).stderr
