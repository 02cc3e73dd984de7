# ruff: noqa: E501  # a story reads best with each record on one line
import hashlib
import http.client
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command
import figures
import pytest
from kept_studies import keep
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils
from sqlalchemy import Engine, event
from stories import (
    EXPERIMENT,
    began,
    everything,
    finals,
    fit_story,
    half_fixed,
    hear_all,
    no_model,
    runs_of,
    told,
    trial_story,
    whole_story,
)
from waiting import wait_until

from hpsearch import files, paths
from hpsearch.__main__ import main
from hpsearch.cli.run import _pages, _Place
from hpsearch.cli.ui import _command
from hpsearch.cli.ui import _pages as _pages_of_ui
from hpsearch.errors import ExperimentRefused, StateDamaged
from hpsearch.experiment import Experiment
from hpsearch.records import Asked, AttemptBegan, FinalistsChosen, SessionEnded
from hpsearch.records import TestOpened as Opened
from hpsearch.trackers import mlflow_view
from hpsearch.trackers.mlflow_model import Winner, log_model
from hpsearch.trackers.mlflow_moved import heed
from hpsearch.trackers.mlflow_store import client, prepare_store, resolve
from hpsearch.trackers.mlflow_trouble import NotHeard, told_apart
from hpsearch.trackers.via_mlflow import Place, ViaMLflow
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status, Trial, TrialResult
from hpsearch.worker import process, starting
from hpsearch.worker.ending import kill


def pruning(pruner: str, **data: int) -> Experiment:
    search = {"trials": 3, "pruner": pruner}
    return Experiment.model_validate({**EXPERIMENT.model_dump(exclude_none=True), "search": search, "data": data})


@pytest.fixture
def project(tmp_path: Path, empty_store: bytes) -> paths.Project:
    project = paths.Project(tmp_path / "project")
    files.make(project.runs)
    project.mlflow.write_bytes(empty_store)
    return project


def place_in(project: paths.Project) -> Place:
    return Place(prepare_store(project, None, "project"), "project", "tiny-1", project.study("tiny").fits)


def test_a_told_study_becomes_a_run_with_a_child_for_each_trial_and_final_fit(project):
    place = place_in(project)

    hear_all(place, whole_story())

    runs = runs_of(place)
    assert set(runs) == {"study", "search 0", "search 1", "search 2", "final 0 0", "final 0 1"}
    assert {key: run.info.status for key, run in runs.items()} == {
        key: "FAILED" if key == "search 2" else "FINISHED" for key in runs
    }
    states = [runs[f"search {number}"].data.tags["hpsearch.state"] for number in range(3)]
    assert states == ["completed", "pruned", "failed"]
    assert all(
        run.data.tags["mlflow.parentRunId"] == runs["study"].info.run_id for key, run in runs.items() if key != "study"
    )
    assert runs["search 0"].data.params == {"rate": "0.1"}
    assert runs["search 0"].data.metrics["best_val_accuracy"] == 0.8
    assert runs["search 0"].data.metrics["model_f1_macro"] == 0.85
    assert runs["search 0"].data.metrics["n_parameters"] == 1234
    assert runs["study"].data.metrics["model_accuracy"] == 0.81
    assert runs["study"].data.metrics["expected_accuracy"] == pytest.approx(0.8)
    assert runs["study"].data.metrics["expected_accuracy_low"] == 0.68
    assert runs["study"].data.params["search.tuner"] == "keras-tuner.random"
    assert runs["study"].data.tags["hpsearch.data_digest"] == "abc123"
    told_of = runs["study"].data.tags["mlflow.note.content"]
    assert "**0.8000** over 2 seeds (95 % interval 0.6800 to 0.8700, of their mean; seeds differ by 0.0141)" in told_of
    assert runs["final 0 1"].info.run_name == "trial 0 · final seed 2"


def test_what_one_branch_fixes_and_another_searches_is_a_param_also_after_the_study_is_taken_up_again(project):
    place, bodies = place_in(project), half_fixed()

    hear_all(place, told([*bodies[:-4], *bodies[:2], *bodies[-4:]]))

    params = [runs_of(place)[f"search {number}"].data.params for number in range(3)]
    assert [one.get("units") for one in params] == ["128", "96", "256"]
    assert all("depth" not in one for one in params)


def test_what_a_trial_had_fixed_is_its_param_once_a_later_one_searches_it(project):
    bodies = half_fixed()
    a_trial = (len(bodies) - 2) // 3
    story = [*bodies[:2], *bodies[2 + a_trial : 2 + 2 * a_trial], *bodies[2 : 2 + a_trial]]  # that with 96 is first
    place = replace(place_in(project), ledger=keep(project.root, story).ledger)

    hear_all(place, told(story))

    runs = runs_of(place)
    assert [runs[f"search {number}"].data.params for number in (0, 1)] == [
        {"rate": "0.1", "units": "128"}, {"rate": "0.1", "units": "96"}
    ]  # fmt: skip


def test_the_winner_keeps_report_matrix_and_pictures(project):
    place = place_in(project)

    hear_all(place, whole_story())

    own, winner = client(place.uri), runs_of(place)["search 0"].info.run_id
    files = {file.path for file in own.list_artifacts(winner)} | {
        file.path for file in own.list_artifacts(winner, "test")
    }
    assert {"learning_curves.png", "test/confusion_matrix.png", "test/classification_report.txt"} <= files
    assert {"class_names.json", "model_summary.txt", "test/classification_report.json"} <= files


@pytest.mark.promise("61")
def test_hearing_a_story_twice_is_as_good_as_once(project):
    place = place_in(project)
    hear_all(place, whole_story())
    once = everything(place)

    hear_all(place, whole_story())

    assert everything(place) == once


@pytest.mark.parametrize(
    ("pruner", "data", "epochs"), [("median", {}, "2 of 6"), ("none", {"folds": 2}, "5 of 12")], ids=["pruner", "race"]
)
def test_the_studys_description_says_what_pruning_spared(project, pruner, data, epochs):
    experiment = pruning(pruner, **data)
    stopped = trial_story(1, [0.4], Status.PRUNED)
    stopped[-2] = replace(stopped[-2], how=How.INTERRUPTED)
    story = [*began(experiment), *trial_story(0, [0.5, 0.8, 0.7]), *stopped, *finals()]
    place = replace(place_in(project), ledger=keep(project.root, story).ledger)

    hear_all(place, told(story), experiment)

    told_there = runs_of(place)["study"].data.tags["mlflow.note.content"]
    assert f"Pruning: 1 of 2 trials were stopped early; {epochs} epochs were not trained (" in told_there


@pytest.mark.promise("6")
def test_hearing_each_record_by_a_tracker_made_anew_comes_to_the_same(project):
    whole, parted = place_in(project), replace(place_in(project), study_id="tiny-2", experiment="parted")
    hear_all(whole, whole_story())

    for news in whole_story():
        hear_all(parted, [news])

    def stripped(place: Place) -> Any:
        return {key: (entry[1], entry[4], entry[6]) for key, entry in everything(place).items()}

    assert stripped(parted) == stripped(whole)


@pytest.mark.promise("6", "P6")
def test_an_interrupted_session_leaves_no_run_running_and_a_resumed_one_goes_on_in_the_same_runs(project):
    place, fit = place_in(project), Fit(0, 0)
    first = [*began(), AttemptBegan(Attempt(fit)), Measure(Attempt(fit), 1, {"val_accuracy": 0.4}, 0.1)]
    stopped = [
        AttemptEnd(Attempt(fit), How.INTERRUPTED, 0.1, reason="interrupted"),
        SessionEnded(finished=False, reason="interrupted"),
    ]
    hear_all(place, told([*first, *stopped]))
    killed = runs_of(place)

    hear_all(place, told([*first, *stopped, *began(), AttemptBegan(Attempt(fit, 2))]))

    resumed = runs_of(place)
    assert {run.info.status for run in killed.values()} == {"KILLED"}
    assert {run.info.status for run in resumed.values()} == {"RUNNING"}
    assert resumed["search 0"].data.tags["hpsearch.attempt"] == "2"
    assert {run.data.tags["hpsearch.reason"] for run in resumed.values()} == {""}
    assert [run.info.run_id for run in resumed.values()] == [run.info.run_id for run in killed.values()]


@pytest.mark.parametrize("step", [60_000, -60_000], ids=["", "while the clock is set back"])
def test_a_trial_asked_for_again_after_a_repair_gets_a_run_of_its_own(project, step):
    place = place_in(project)
    *first, result = [Asked(Trial(1)), *trial_story(1, [0.9])]
    known = [*began(), Asked(Trial(0)), *trial_story(0, [0.5])]
    hear_all(place, told([*known, *first, result]))
    kept = runs_of(place)["search 0"].info.run_id
    again = told([*known, *first, replace(result, trial=Trial(1, {"rate": 0.7}), score=0.4)])
    later = [replace(news, time_ms=news.time_ms + step * max(0, news.number - len(known))) for news in again]

    for _ in range(2):
        hear_all(place, later)

    own = client(place.uri)
    found = own.search_runs([own.get_experiment_by_name("project").experiment_id])
    runs = [run.data for run in found if run.data.tags["hpsearch.key"] == "search 1"]
    assert sorted((run.tags["hpsearch.state"], run.params["rate"]) for run in runs) == [
        ("completed", "0.7"), ("lost", "0.2"),
    ]  # fmt: skip
    assert runs_of(place)["search 0"].info.run_id == kept
    history = own.get_metric_history(runs_of(place)["study"].info.run_id, "best_score")
    assert [point.value for point in history] == [0.5, 0.9]  # told before; what is written there stays


def test_final_runs_of_a_trial_that_a_repair_forgot_are_none_of_its_namesake(project):
    place = place_in(project)
    trials = [body for number in (10, 1) for body in (Asked(Trial(number)), *trial_story(number, [0.9]))]
    of_finals = [body for number in (10, 1) for body in fit_story(Fit(number, 1, kind="final"), [0.8])]
    hear_all(place, told([*began(), *trials, *of_finals]))
    again = told([Asked(Trial(1)), *trial_story(1, [0.9])])

    hear_all(place, [replace(news, time_ms=news.time_ms + 3_600_000) for news in again])

    states = {key: run.data.tags["hpsearch.state"] for key, run in runs_of(place).items() if key.startswith("final")}
    assert states == {"final 1 0": "lost", "final 10 0": "completed"}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("interrupted; what was done is kept, and the same command goes on", "KILLED"),
        ("3 trials failed (search.max_failures); the last: exit: exit code 3 without a result", "FAILED"),
    ],
)
def test_a_session_is_interrupted_only_where_somebody_left_it(project, reason, status):
    place = place_in(project)

    hear_all(place, told([*began(), SessionEnded(finished=False, reason=reason)]))

    assert runs_of(place)["study"].info.status == status


def test_folds_and_repeats_are_metrics_of_the_trials_one_run(project):
    experiment = Experiment.model_validate(
        {**EXPERIMENT.model_dump(exclude_none=True), "data": {"folds": 2, "repeats": 2}}
    )
    fits = [
        body
        for repeat in (0, 1)
        for fold in (0, 1)
        for body in fit_story(Fit(0, 0, "search", fold, repeat), [0.5, 0.6])
    ]
    place = place_in(project)

    hear_all(place, told([*began(experiment), *fits]), experiment)

    metrics = runs_of(place)["search 0"].data.metrics
    assert metrics["repeat_1.fold_0.val_accuracy"] == 0.6
    assert "val_accuracy" not in metrics


def test_after_more_search_and_another_winner_one_run_alone_is_the_winners(project):
    place = place_in(project)
    *first, ended = [news.body for news in whole_story()]
    verdict = replace(first[-1], winner=1, model_fit="final-0001-r0-f0")
    again = [*trial_story(3, [0.9]), *fit_story(Fit(1, 7, "final"), [0.9]), verdict, ended]

    hear_all(place, told([*first, *again]))

    won = {key: run.data.tags.get("hpsearch.winner") for key, run in runs_of(place).items()}
    assert won == {
        "study": "1", "search 0": "no", "search 1": "yes", "search 2": None, "search 3": None,
        "final 0 0": None, "final 0 1": None, "final 1 0": None,
    }  # fmt: skip
    hear_all(place, told([*first, *again]))
    assert {key: run.data.tags.get("hpsearch.winner") for key, run in runs_of(place).items()} == won


@pytest.mark.promise("P6")
@pytest.mark.parametrize("anew", [False, True])
def test_a_final_seed_of_several_folds_that_lost_one_ends_as_failed(project, anew):
    place = place_in(project)
    bad = Failure("NonFinite", "loss is nan in epoch 2")
    stories = [final_fold(fold, How.FINISHED, bad if fold == 0 else None) for fold in range(3)]

    hear_folds(place, [*stories, [Opened({})]], anew=anew)

    run = runs_of(place)["final 0 0"]
    assert (run.info.status, run.data.tags["hpsearch.state"]) == ("FAILED", "failed")
    assert run.data.tags["hpsearch.reason"] == "NonFinite: loss is nan in epoch 2"


@pytest.mark.promise("P6")
def test_a_final_seed_whose_process_died_too_often_ends_as_failed(project):
    place = place_in(project)
    stories = [final_fold(0, How.LOST, None, number) for number in (1, 2, 3)]

    hear_folds(place, [final_fold(1), *stories, [Opened({})]])

    run = runs_of(place)["final 0 0"]
    assert (run.info.status, run.data.tags["hpsearch.reason"]) == ("FAILED", "killed by SIGKILL")


def test_a_final_seed_whose_fold_came_through_when_it_was_tried_again_ends_as_completed(project):
    place = place_in(project)
    bad = Failure("oom", "killed at 2 GB")
    stories = [final_fold(0, How.FINISHED, bad), final_fold(1), began(FOLDED), final_fold(0, number=2)]

    hear_folds(place, [*stories, [Opened({})]])

    run = runs_of(place)["final 0 0"]
    assert (run.info.status, run.data.tags["hpsearch.state"]) == ("FINISHED", "completed")
    assert not any(text for name, text in run.data.tags.items() if name.endswith("failure"))


FOLDED = Experiment.model_validate({**EXPERIMENT.model_dump(exclude_none=True), "data": {"folds": 3}})


def final_fold(fold: int, how: How = How.FINISHED, failure: Failure | None = None, number: int = 1) -> list[Any]:
    attempt = Attempt(Fit(0, 7 + fold, "final", fold), number)
    reason = "killed by SIGKILL" if how is How.LOST else ""
    return [AttemptBegan(attempt), AttemptEnd(attempt, how, 1.0, 0.5, 1, 1, reason=reason, failure=failure)]


def hear_folds(place: Place, stories: list[list[Any]], *, anew: bool = False) -> None:
    """Tell it of finals with three folds, by a tracker made anew for each record if so wished."""
    bodies = [
        *began(FOLDED),
        *trial_story(0, [0.5]),
        FinalistsChosen((0,)),
        *(one for story in stories for one in story),
    ]
    story = told(bodies)
    for part in [[news] for news in story] if anew else [story]:
        hear_all(place, part, FOLDED)


def test_odd_names_long_values_and_infinite_metrics_are_taken(project):
    place, attempt = place_in(project), Attempt(Fit(0, 0))
    values = {"../<b>x\n": "y" * 9000, **{f"p{number}": number for number in range(130)}}
    metrics = {"loss": float("inf"), "val loss/../x": float("nan"), **{f"m{number}": 1.0 for number in range(1100)}}
    result = TrialResult(Trial(0, values), Status.COMPLETED, 0.5, 1, 1.0)

    hear_all(place, told([*began(), AttemptBegan(attempt), Measure(attempt, 1, metrics, 0.1), result]))

    run = runs_of(place)["search 0"]
    assert len(run.data.params) == 131
    assert len(run.data.metrics) > 1100


@pytest.mark.promise("56")
def test_a_run_that_a_person_deletes_stops_nothing(project):
    place = place_in(project)
    story = whole_story()
    hear_all(place, story[:5])
    client(place.uri).delete_run(runs_of(place)["search 0"].info.run_id)

    hear_all(place, story[5:])

    assert "search 0" not in runs_of(place)
    assert runs_of(place)["search 1"].info.status == "FINISHED"


@pytest.mark.promise("56")
def test_a_run_that_a_person_takes_our_key_from_stops_nothing(project):
    place = place_in(project)
    story = whole_story()
    hear_all(place, story[:5])
    theirs = runs_of(place)["search 0"].info.run_id
    client(place.uri).delete_tag(theirs, "hpsearch.key")

    hear_all(place, story[5:])

    client(place.uri).set_tag(theirs, "hpsearch.key", "theirs")
    found = runs_of(place)
    assert found["search 0"].info.status == found["search 1"].info.status == "FINISHED"
    assert found["theirs"].info.status == "RUNNING"


@pytest.mark.promise("H48")
def test_a_server_that_is_away_raises_without_its_password():
    place = Place("http://user:S3CRET@127.0.0.1:1", "x", "tiny-1", Path())

    with pytest.raises(NotHeard) as caught, told_apart():
        ViaMLflow(EXPERIMENT, place, no_model)

    assert "S3CRET" not in str(caught.value)


def test_a_relative_database_lies_in_the_project_and_odd_folders_are_allowed(tmp_path):
    project = paths.Project(tmp_path / "a %20? #b'ü")
    project.root.mkdir()

    uri = prepare_store(project, "sqlite:///own/runs.db")

    assert (project.root / "own" / "runs.db").stat().st_size > 0
    assert resolve(project, uri) == uri


def test_a_project_whose_path_is_no_utf_8_is_refused_with_the_mend_unless_the_runs_are_elsewhere(tmp_path):
    project = paths.Project(tmp_path / os.fsdecode(b"M\xfcller"))
    elsewhere = registered("digits", "http://host:5000")

    for begin in (lambda: prepare_store(project), lambda: _Place(project, plain=True).mlflow(EXPERIMENT)):
        with pytest.raises(ExperimentRefused, match=r"not UTF-8\n  rename that folder, or set tracking.mlflow = false"):
            begin()
    assert _Place(project, plain=True).mlflow(elsewhere).shown == "http://host:5000"
    assert _pages(project, "http://host:5000") == "http://host:5000"


def test_a_run_in_a_project_that_was_moved_says_where_mlflow_still_keeps_its_files(project, tmp_path, capsys):
    place_in(project)
    moved = paths.Project(tmp_path / "elsewhere" / "project")
    _Place(project, plain=True).mlflow(EXPERIMENT)
    before = capsys.readouterr().err
    moved.root.parent.mkdir()
    project.root.rename(moved.root)

    _Place(moved, plain=True).mlflow(EXPERIMENT)

    assert (before, heed(moved, "sqlite:////another.db", "project")) == ("", "")
    assert f"in {project.artifacts}, where the project was before\n" in capsys.readouterr().err
    project.root.symlink_to(moved.root)
    assert heed(moved, resolve(moved), "project") == ""  # it is the same folder


@pytest.mark.parametrize(
    ("tracking", "surroundings", "shown"),
    [
        (None, "", "hpsearch ui"),
        (None, "http://host:5000", "hpsearch ui"),
        ("sqlite:///mlruns/mlflow.db", "", "hpsearch ui"),
        ("http://me:S3CRET@host:5000", "", "http://***@host:5000"),
        ("http://host:5000", "http://host:5000", "hpsearch ui"),
        ("http://host:5000", "http://other:5000", "http://host:5000"),
    ],
)
def test_a_run_ends_with_where_its_own_pages_are(tmp_path, monkeypatch, tracking, surroundings, shown):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", surroundings)

    assert _pages(paths.Project(tmp_path), tracking) == shown


def written(folder):
    """How many bytes of MLflow's database, and of what SQLite keeps beside it, are there by now."""
    found = 0
    for file in folder.rglob("mlflow.db*"):
        with suppress(FileNotFoundError):
            found += file.stat().st_size
    return found


@pytest.mark.promise("56")
def test_two_processes_that_meet_a_store_whose_maker_was_killed_both_find_it_ready(tmp_path):
    words = "import sys; from pathlib import Path; from hpsearch import paths; from hpsearch.trackers.mlflow_store import prepare_store; prepare_store(paths.Project(Path(sys.argv[1])))"
    with subprocess.Popen([sys.executable, "-c", words, str(tmp_path)]) as first:
        wait_until(lambda: written(tmp_path) > 200_000)
        first.kill()
    half_made = (tmp_path / "mlruns" / "mlflow.db").exists()
    starts = [subprocess.Popen([sys.executable, "-c", words, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(2)]

    ends = [start.communicate(timeout=120)[1] for start in starts]

    assert not half_made
    assert [start.returncode for start in starts] == [0, 0], ends
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def set_back(address):
    """Undo the newest of MLflow's migrations."""
    engine = utils.create_sqlalchemy_engine(address)
    config = utils._get_alembic_config(address)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "-1")
    engine.dispose()


def revision(address):
    engine = utils.create_sqlalchemy_engine(address)
    found = utils._get_schema_version(engine)
    engine.dispose()
    return found


@contextmanager
def cut_off(before):
    """Within: whoever writes to a database by SQLAlchemy is cut off before a statement that begins so."""

    def cut(_connection, _cursor, statement, *_rest):
        if statement.startswith(before):
            raise ConnectionAbortedError

    event.listen(Engine, "before_cursor_execute", cut)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", cut)


def test_an_upgrade_of_the_database_that_was_cut_off_goes_on(project):
    address = prepare_store(project)
    set_back(address)
    with cut_off("UPDATE alembic_version"), pytest.raises(ConnectionAbortedError):
        prepare_store(project)

    prepare_store(project)

    assert revision(address) == utils._get_latest_schema_revision()


def answer(line: Any) -> None:
    """Call one function after another, in a process of its own."""
    while True:
        function, arguments = line.recv()
        line.send_bytes(process.attempt(function, *arguments))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Any]:
    """Calls functions as a fresh process does, all in one: it imports MLflow only once."""
    child, line = starting.fresh(answer)

    def call(function: Any, *arguments: Any) -> Any:
        line.send((function, arguments))
        return process.outcome(*pickle.loads(line.recv_bytes()))  # noqa: S301  # our own

    with line:
        yield call
        kill(child)


def make_small_model(file: Path) -> None:
    import keras  # in another process

    layers = [keras.layers.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    keras.Sequential(layers).save(file)


def test_the_winners_model_loads_back_and_predicts(project, elsewhere):
    place = place_in(project)
    files.make(place.fits / "final-0000-r1-f0")
    elsewhere(make_small_model, place.fits / "final-0000-r1-f0" / "model.keras")

    hear_all(place, whole_story(), registered("digits"), call=elsewhere)

    tags = runs_of(place)["search 0"].data.tags
    address = tags["hpsearch.model"]
    assert tags["hpsearch.registered"] == "models:/digits/1"
    check = (
        "import sys, mlflow, numpy as np; mlflow.set_tracking_uri(sys.argv[1]); m = mlflow.pyfunc.load_model(sys.argv[2]); "
        "print(m.predict(np.zeros((2, 4, 4), 'float32')).shape, m.metadata.signature is not None, m.input_example.shape); "
        "print(any(name.startswith('hpsearch') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, place.uri, "models:/digits@champion"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-2:] == ["(2, 3) True (1, 4, 4)", "False"], done.stderr
    hear_all(place, whole_story(), registered("digits"), call=elsewhere)
    again = runs_of(place)["search 0"].data.tags
    assert (again["hpsearch.model"], again["hpsearch.registered"]) == (address, "models:/digits/1")


SPACE = """
import keras


@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, images):
        return 2.0 * images


def build(hp):
    ends = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.layers.Input((None, None, 1)), Doubled(), *ends])
"""


def make_own_model(root: Path, file: Path) -> None:
    from hpsearch.worker.finding import find_build  # in another process

    find_build(root, "space:build")(None).save(file)


def read_back(uri: str, address: str) -> tuple[Any, ...]:
    import mlflow  # in another process
    import numpy as np

    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model(address)
    given = model.predict(np.full((2, 4, 6, 1), 0.5, "float32"))
    return model.input_example.shape, given.shape, given.sum(axis=1).round(3).tolist(), "space" in sys.modules


def test_a_winner_with_layers_of_the_projects_own_is_loaded_where_nobody_knows_them(project, tmp_path, elsewhere):
    place, file = place_in(project), tmp_path / "model.keras"
    (project.root / "space.py").write_text(SPACE)
    process.call(make_own_model, project.root, file)
    hear_all(place, told(began()))
    run = runs_of(place)["study"].info.run_id

    address = process.call(log_model, place.uri, run, Winner(file, 0, "", (4, 6), project.root, "space:build"))

    assert elsewhere(read_back, place.uri, address) == ((1, 4, 6, 1), (2, 3), [1.0, 1.0], False)


def registered(name: str, address: str | None = None) -> Experiment:
    return Experiment.model_validate(
        {**EXPERIMENT.model_dump(exclude_none=True), "tracking": {"mlflow": address, "register_as": name}}
    )


@pytest.fixture
def without_weights(elsewhere: Any) -> Any:
    """Calls functions elsewhere, but logs a model that has no weights."""

    def call(function: Any, *arguments: Any) -> Any:
        return (logs_no_weights if function is log_model else partial(elsewhere, function))(*arguments)

    return call


def logs_no_weights(uri: str, run_id: str, *_more: Any) -> str:
    own = client(uri)
    if outputs := own.get_run(run_id).outputs.model_outputs:
        return f"models:/{outputs[0].model_id}"
    made = own.create_logged_model(own.get_run(run_id).info.experiment_id, "model", run_id)
    own.log_outputs(run_id, [LoggedModelOutput(made.model_id, 0)])
    own.finalize_logged_model(made.model_id, "READY")
    return f"models:/{made.model_id}"


def test_the_winner_is_registered_once_as_the_champion_and_a_later_studys_takes_its_place(project, without_weights):
    first = place_in(project)
    second = replace(first, study_id="tiny-2")

    for place in (first, first, second, first):
        hear_all(place, whole_story(), registered("digits"), call=without_weights)

    own = client(first.uri)
    versions = sorted(own.search_model_versions("name = 'digits'"), key=lambda one: int(one.version))
    champion = own.get_model_version_by_alias("digits", "champion")
    assert [one.tags["hpsearch.study_id"] for one in versions] == ["tiny-1", "tiny-2"]
    assert [one.source for one in versions] == [own.get_run(one.run_id).data.tags["hpsearch.model"] for one in versions]
    assert (champion.version, champion.tags["hpsearch.model_accuracy"]) == (versions[-1].version, "0.8100")
    logged = own.get_logged_model(champion.source.removeprefix("models:/"))
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "digits", "version": 2}]
    assert own.get_run(champion.run_id).data.tags["hpsearch.registered"] == "models:/digits/2"


def test_a_run_whose_logged_model_is_not_the_one_that_was_tested_gets_another(
    project, tmp_path, elsewhere, without_weights
):
    place, file = place_in(project), tmp_path / "model.keras"
    hear_all(place, whole_story(), call=without_weights)
    own, run = client(place.uri), runs_of(place)["search 0"]
    address = run.data.tags["hpsearch.model"]
    file.write_bytes(b"the first")
    first = hashlib.sha256(b"the first").hexdigest()
    own.set_logged_model_tags(address.removeprefix("models:/"), {"hpsearch.sha256": first})

    told_again = elsewhere(log_model, place.uri, run.info.run_id, Winner(file, 0, first))
    file.write_bytes(b"the second")
    second = hashlib.sha256(b"the second").hexdigest()

    assert told_again == address
    with pytest.raises(StateDamaged, match="the model cannot be loaded"):  # and so it was about to be
        elsewhere(log_model, place.uri, run.info.run_id, Winner(file, 0, second))


def test_the_model_of_a_verdict_is_the_one_of_the_last_opening_before_it(project):
    began, *first, ended = [news.body for news in whole_story()]
    began = replace(began, provenance={"image_shape": "[4, 6]"})
    verdict = first[-1]
    second = [Opened({verdict.model_fit: "1" * 64, "final-0001-r0-f0": "2" * 64}), verdict]
    story, asked = [began, *first, *second, ended], []
    place = replace(place_in(project), ledger=keep(project.root, story).ledger, root=project.root)

    hear_all(place, told(story), call=lambda _function, *given: asked.append(given[-1]))

    file = place.fits / verdict.model_fit / "model.keras"
    models = [Winner(file, 0, digit * 64, (4, 6), project.root, "space:build") for digit in "01"]
    assert asked == models


def test_a_model_that_did_not_get_through_at_once_is_logged_all_the_same(project, without_weights):
    place, tries = place_in(project), []

    def busy(function, *arguments):
        tries.append(function)
        if len(tries) in {1, 3}:
            raise MlflowException("503 error")
        return without_weights(function, *arguments)

    hear_all(place, whole_story(), registered("digits"), call=busy)

    tags = runs_of(place)["search 0"].data.tags
    assert tags["hpsearch.model"].startswith("models:/")
    assert tags["hpsearch.registered"] == "models:/digits/1"


def test_files_that_have_no_place_to_go_are_named_and_the_numbers_go_on(project):
    project.artifacts.write_text("a file, where MLflow was to make a folder")
    place = place_in(project)

    hear_all(place, whole_story())

    runs = runs_of(place)
    assert runs["search 0"].data.metrics["model_accuracy"] == 0.81
    assert runs["search 0"].data.tags["hpsearch.files"].startswith("not kept: ")
    assert {run.info.status for run in runs.values()} == {"FINISHED", "FAILED"}


def test_what_the_store_of_files_did_not_take_is_told_again_once_it_does(project):
    project.artifacts.write_text("a file, where MLflow was to make a folder")
    place = place_in(project)
    hear_all(place, whole_story())
    project.artifacts.unlink()
    tracker = ViaMLflow(EXPERIMENT, place, no_model)

    assert tracker.remembers(wholly=False)
    assert not tracker.remembers(wholly=True)
    for news in whole_story():
        tracker.hear(news)
    tracker.close()

    run = runs_of(place)["search 0"]
    assert run.data.tags["hpsearch.files"] == ""
    assert "model_summary.txt" in {file.path for file in client(place.uri).list_artifacts(run.info.run_id)}


def test_what_was_not_logged_is_not_registered_and_says_so(project):
    place = place_in(project)

    hear_all(place, whole_story(), registered("digits"))

    tracker = ViaMLflow(registered("digits"), place, no_model)
    assert client(place.uri).search_registered_models() == []
    assert "not registered as digits" in runs_of(place)["search 0"].data.tags["hpsearch.registered"]
    assert tracker.lacks() == (
        "the winner's model not logged: HpsearchError: no model here; "
        "the winner not registered as digits: the model was not logged"
    )
    assert not tracker.remembers(wholly=True)
    assert tracker.lacks() == ""  # for now it is told again


def test_mlflows_pages_show_score_and_params_unless_a_person_chose_otherwise(project):
    place = place_in(project)
    own = client(place.uri)
    number = own.get_experiment_by_name("project").experiment_id
    own.set_experiment_tag(number, mlflow_view.PRIMARY, "loss")

    hear_all(place, whole_story())

    tags = own.get_experiment(number).tags
    shown = json.loads(tags[mlflow_view.VIEW])["selectedColumns"]
    assert shown[:4] == ["tags.`hpsearch.state`", "metrics.`score`", "metrics.`expected_accuracy`", "params.`rate`"]
    assert "params.`depth`" not in shown
    assert (tags[mlflow_view.PRIMARY], tags[mlflow_view.GREATER]) == ("loss", "true")


def test_the_objectives_metric_is_a_trials_first_by_which_mlflow_compares(project):
    place = place_in(project)

    hear_all(place, whole_story())

    runs = runs_of(place)
    assert [next(iter(runs[f"search {number}"].data.metrics)) for number in (0, 1)] == ["val_accuracy"] * 2


def test_a_filter_by_study_keeps_parent_and_children_together(project):
    place, other = place_in(project), replace(place_in(project), study_id="other-1")
    hear_all(place, whole_story())
    hear_all(other, whole_story(), EXPERIMENT.renamed("other"))

    own = client(place.uri)
    found = own.search_runs([own.get_experiment_by_name("project").experiment_id], "tags.hpsearch.study = 'other'")

    (parent,) = (run for run in found if run.data.tags["hpsearch.kind"] == "study")
    parents = {run.data.tags["mlflow.parentRunId"] for run in found if run is not parent}
    assert (len(found), parents) == (6, {parent.info.run_id})


def get(port: int, path: str, host: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("port", "known", "origins"),
    [
        (80, "127.0.0.1,127.0.0.1:80,localhost,localhost:80", {"http://127.0.0.1", "http://localhost"}),
        (8080, "127.0.0.1:8080,localhost:8080", set()),
    ],
)
def test_only_at_port_80_does_mlflows_server_know_its_hosts_without_the_port(port, known, origins):
    command = _command(port)

    assert command[command.index("--allowed-hosts") + 1] == known
    allowed = command[command.index("--cors-allowed-origins") + 1].split(",")
    assert {origin for origin in allowed if not origin.endswith(f":{port}")} == origins


def test_the_ui_opens_on_a_database_that_no_run_of_the_project_has_used_yet(project, tmp_path):
    address = prepare_store(project, experiment="of somebody else")
    with closing(sqlite3.connect(project.mlflow)) as store:
        (before,) = store.execute("SELECT count(*) FROM experiments").fetchone()

    pages = _pages_of_ui(paths.Project(tmp_path / "begun"), address)

    assert (pages.runs, pages.trials) == ("", "")
    with closing(sqlite3.connect(project.mlflow)) as store:
        assert store.execute("SELECT count(*) FROM experiments").fetchone() == (before,)


def test_the_ui_opens_though_a_person_deleted_the_tag_of_a_study(project):
    place = place_in(project)
    hear_all(place, whole_story())
    client(place.uri).delete_tag(runs_of(place)["study"].info.run_id, "hpsearch.study_id")

    pages = _pages_of_ui(project, place.uri)

    assert pages.runs.startswith("/#/experiments/")
    assert pages.trials == ""


@pytest.mark.promise("59")
def test_the_ui_serves_the_runs_to_this_machine_only_and_leaves_no_process(project, capfd):
    import psutil

    place = place_in(project)
    hear_all(place, whole_story())
    command = [sys.executable, "-m", "hpsearch", "ui", "--port", "0", "--no-browser", "--project", str(project.root)]

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as server:
        watchdog = threading.Timer(120, server.kill)
        watchdog.start()
        lines = [server.stdout.readline() for _ in range(3)]
        port = int(lines[0].partition("127.0.0.1:")[2].partition("/")[0])
        mine, foreign = get(port, "/", f"127.0.0.1:{port}"), get(port, "/api/2.0/mlflow/experiments/search", "10.1.2.3")
        unsaid = get(port, "/", "127.0.0.1")
        taken = main(["ui", "--port", str(port), "--no-browser", "--project", str(project.root)])
        children = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(signal.SIGINT)
        code = server.wait(30)
        watchdog.cancel()

    assert (mine, foreign, unsaid, code) == (200, 403, 403, 130)
    assert "side by side" in lines[1]
    assert taken == 8
    assert f"port {port} cannot be used" in capfd.readouterr().err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    assert alive == []


@pytest.mark.promise("56", "P9")
@pytest.mark.promise("13")
@pytest.mark.long
def test_sixteen_writers_and_a_polled_ui_share_a_fresh_store_and_a_killed_ui_leaves_nothing(tmp_path):
    import psutil

    ui = [sys.executable, "-m", "hpsearch", "ui", "--port", "0", "--no-browser", "--project", str(tmp_path)]
    writers = [sys.executable, str(Path(__file__).parent / "many_writers.py"), str(tmp_path), "16", "50"]
    with (
        subprocess.Popen(ui, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as pages,
        subprocess.Popen(writers, stderr=subprocess.PIPE, text=True) as writing,
    ):
        watchdog = threading.Timer(240, lambda: (pages.kill(), writing.kill()))
        watchdog.start()
        port = int(pages.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])
        polled = []
        while writing.poll() is None:
            polled.append(get(port, "/api/2.0/mlflow/experiments/search?max_results=5", f"127.0.0.1:{port}"))
            time.sleep(0.3)
        servers = psutil.Process(pages.pid).children(recursive=True)
        pages.kill()
        watchdog.cancel()
        said = writing.stderr.read()

    figures.note("P9", writers=16, trials_each=50, polled=len(polled))
    assert writing.returncode == 0, said
    assert set(polled) == {200}
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as db:
        assert db.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone() == (16 * 51,)
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (16 * 51,)
        assert db.execute("SELECT count(*) FROM metrics WHERE key = 'val_accuracy'").fetchone() == (16 * 50 * 2,)
    _, alive = psutil.wait_procs(servers, timeout=20)
    assert servers
    assert alive == []


def test_the_report_table_is_in_the_shape_that_the_ui_shows(project):
    place = place_in(project)

    hear_all(place, whole_story())

    winner = runs_of(place)["search 0"]
    table = json.loads(
        Path(client(place.uri).download_artifacts(winner.info.run_id, "test/classification_report.json")).read_text()
    )
    assert table["columns"][0] == "class"
    assert table["data"][0] == ["nought", 0.9, 0.8, 0.85, 50.0]


def test_many_records_of_a_run_go_in_one_request(project):
    place = place_in(project)
    tracker = ViaMLflow(EXPERIMENT, place, no_model)
    asked, send = [], tracker._runs._client.log_batch
    tracker._runs._client.log_batch = lambda run, *batch: asked.append(run) or send(run, *batch)

    for news in told([*began(), *trial_story(0, [0.5, 0.8, 0.7]), *trial_story(1, [0.4, 0.5])]):
        tracker.hear(news)
    tracker.flush()

    assert len(asked) == len(set(asked)) == 3  # the study's run and one a trial
    assert runs_of(place)["search 0"].data.metrics["val_accuracy"] == 0.7


@pytest.mark.promise("P22")
def test_an_epoch_costs_one_request_at_most(project):
    tracker = ViaMLflow(EXPERIMENT, place_in(project), no_model)
    *before, third = told([*began(), *fit_story(Fit(0, 0), [0.5, 0.8, 0.7])[:-1]])
    for news in before:
        tracker.hear(news)
    tracker.flush()
    asked, own = [], tracker._runs._client

    class Counting:
        def __getattr__(self, name):
            asked.append(name)
            return getattr(own, name)

    tracker._runs._client = Counting()
    tracker.hear(third)
    tracker.flush()

    assert asked == ["log_batch"]


def test_a_batch_that_did_not_get_through_can_be_told_again(project):
    place = place_in(project)
    hear_all(replace(place, study_id="whole"), whole_story())
    tracker = ViaMLflow(EXPERIMENT, place, no_model)
    for news in whole_story()[:9]:
        tracker.hear(news)
    tracker._runs._unsent.clear()  # as when it dies before it writes

    hear_all(place, whole_story())

    def stripped(study: str) -> Any:
        own = client(place.uri)
        number = own.get_experiment_by_name("project").experiment_id
        found = own.search_runs([number], f"tags.`hpsearch.study_id` = '{study}'")
        return {run.data.tags["hpsearch.key"]: (run.info.status, run.data.params, run.data.metrics) for run in found}

    assert stripped("tiny-1") == stripped("whole") != {}


@pytest.mark.promise("23", "P16")
def test_a_score_that_is_no_number_never_leads(project):
    place = place_in(project)
    scores = ((0, 0.8), (1, float("nan")), (2, 0.5))
    results = [TrialResult(Trial(number), Status.COMPLETED, score, 1, 1.0) for number, score in scores]

    hear_all(place, told([*began(), *results]))

    study = runs_of(place)["study"].info.run_id
    assert [point.value for point in client(place.uri).get_metric_history(study, "best_score")] == [0.8]


def test_the_best_score_is_that_of_the_last_trial_to_lead_in_whatever_order_they_end(project):
    place = place_in(project)
    results = [TrialResult(Trial(number), Status.COMPLETED, score, 1, 1.0) for number, score in ((5, 0.7), (3, 0.8))]

    hear_all(place, told([*began(), *results]))

    assert runs_of(place)["study"].data.metrics["best_score"] == 0.8


def test_a_trial_that_got_more_time_has_its_last_score_though_its_best_epoch_is_earlier(project):
    place, trial = place_in(project), Trial(0)
    first = TrialResult(trial, Status.PRUNED, 0.7, 9, 1.0, {"val_accuracy": 0.7, "val_loss": 0.9}, "time")
    last = TrialResult(trial, Status.COMPLETED, 0.8, 6, 2.0, {"val_accuracy": 0.8, "val_loss": 0.5})

    hear_all(place, told([*began(), first, *began(), last]))

    said = runs_of(place)["search 0"].data.metrics
    expected = {"score": 0.8, "best_val_accuracy": 0.8, "best_val_loss": 0.5, "best_epoch": 6, "seconds": 2.0}
    assert said == expected


def test_a_metric_of_the_model_that_is_called_score_leaves_the_score_as_it_is(project):
    place, attempt = place_in(project), Attempt(Fit(0, 0))
    measures = [Measure(attempt, epoch, {"val_score": 0.8, "score": 0.9, "seconds": 7.0}, 0.5) for epoch in (1, 2)]
    result = TrialResult(Trial(0), Status.COMPLETED, 0.8, 2, 1.5, {"val_score": 0.8, "score": 0.9})

    hear_all(place, told([*began(), AttemptBegan(attempt), *measures, result]))

    said = runs_of(place)["search 0"].data.metrics
    assert (said["score"], said["seconds"], said["epoch_seconds"]) == (0.8, 1.5, 0.5)
    assert (said["val_score"], said["train_score"], said["train_seconds"]) == (0.8, 0.9, 7.0)


@pytest.mark.promise("H48")
@pytest.mark.parametrize(
    "address",
    [
        "http://user:S3CRET@host/x",
        "https://S3CRET@host",
        "http://a:S3@S3CRET@host/y",
        "postgresql://a:S3/S3CRET#@host/y",
        "http://a@host/y?token=S3CRET",
    ],
)
def test_no_error_tells_the_password_of_an_address(address):
    message = f"{address} is away, says {address}"

    with pytest.raises(NotHeard) as caught, told_apart():
        raise ConnectionError(message)

    assert "S3CRET" not in str(caught.value)
    assert "@host" in str(caught.value)
