# ruff: noqa: E501  # a story reads best with each record on one line
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch import paths, records
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.records import (
    AttemptBegan,
    Finalist,
    FinalistsChosen,
    News,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    Verdict,
)
from hpsearch.space import Parameter
from hpsearch.trackers.mlflow_store import client, prepare_store, resolve
from hpsearch.trackers.via_mlflow import NotHeard, Place, ViaMLflow, _told_apart
from hpsearch.trial import Attempt, AttemptEnd, Built, Failure, Fit, How, Measure, Status, Trial, TrialResult

EXPERIMENT = Experiment.model_validate(
    {"name": "tiny", "model": {"build": "space:build"}, "search": {"trials": 3}, "train": {"epochs": 3}}
)
RATE = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
DEPTH = Parameter("depth", "fixed", 2)
ROW = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 50.0}


def told(bodies: list[Any]) -> list[News]:
    return [News(number, 1_700_000_000_000 + 1000 * number, number / 2, body) for number, body in enumerate(bodies, 1)]


def fit_story(fit: Fit, scores: list[float]) -> list[Any]:
    attempt = Attempt(fit)
    measures = [
        Measure(attempt, epoch, {"val_accuracy": score, "loss": 1 / epoch}, 0.5)
        for epoch, score in enumerate(scores, 1)
    ]
    best = max(range(len(scores)), key=lambda place: scores[place]) + 1
    end = AttemptEnd(
        attempt, How.FINISHED, 1.5, scores[best - 1], best, len(scores), {"val_accuracy": scores[best - 1]}
    )
    return [AttemptBegan(attempt), Built(attempt, 1234, "a small model", "graph"), *measures, end]


def trial_story(number: int, scores: list[float], status: Status = Status.COMPLETED) -> list[Any]:
    best = max(scores)
    values = {"rate": 0.1 * (number + 1), "depth": 2}
    result = TrialResult(Trial(number, values), status, best, scores.index(best) + 1, 1.5, {"val_accuracy": best})
    return [*fit_story(Fit(number, number), scores), result]


def began(experiment: Experiment = EXPERIMENT) -> list[Any]:
    facts = {"data_digest": "abc123", "git_commit": "0f1e2d", "keras": "3.15.1"}
    return [SessionBegan("tiny", experiment.model_dump(mode="json"), {}, (), facts), SpaceFound((RATE, DEPTH))]


def pruning(pruner: str, **data: int) -> Experiment:
    search = {"trials": 3, "pruner": pruner}
    return Experiment.model_validate({**EXPERIMENT.model_dump(exclude_none=True), "search": search, "data": data})


def finals() -> list[Any]:
    verdict = Verdict(
        0, "final-0000-r1-f0", (Finalist(0, (0.8, 0.82), (0.79, 0.81)), Finalist(1, (0.7,), (0.69,))), 100, 0.81,
        {"nought": ROW, "one": ROW, "macro avg": ROW, "weighted avg": ROW}, ((40, 10), (5, 45)), ("nought", "one"),
    )  # fmt: skip
    fits = [body for repeat in (0, 1) for body in fit_story(Fit(0, 7, "final", repeat=repeat), [0.7, 0.8])]
    return [FinalistsChosen((0, 1)), *fits, records.TestOpened({"final-0000-r1-f0": "0" * 64}), verdict]


def whole_story() -> list[News]:
    failed = TrialResult(Trial(2, {"rate": 0.3}), Status.FAILED, failure=Failure("ValueError", "too deep", "Traceback"))
    trials = [*trial_story(0, [0.5, 0.8, 0.7]), *trial_story(1, [0.4], Status.PRUNED)]
    crash = [
        AttemptBegan(Attempt(Fit(2, 2))),
        AttemptEnd(Attempt(Fit(2, 2)), How.FINISHED, 0.1, failure=failed.failure),
        failed,
    ]
    return told([*began(), *trials, *crash, *finals(), SessionEnded(finished=True, reason="the budget is spent")])


def no_model(_function: Any, *_arguments: Any) -> str:
    message = "no model here"
    raise FileNotFoundError(message)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = paths.Project(tmp_path_factory.mktemp("empty"))
    prepare_store(project)
    with closing(sqlite3.connect(project.mlflow)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return project.mlflow


@pytest.fixture
def project(tmp_path: Path, empty_store: Path) -> paths.Project:
    project = paths.Project(tmp_path / "project")
    paths.make(project.runs)
    project.mlflow.write_bytes(empty_store.read_bytes())
    return project


def place_in(project: paths.Project) -> Place:
    return Place(prepare_store(project, None, "project"), "project", "tiny-1", project.study("tiny").fits)


def hear_all(place: Place, story: list[News], experiment: Experiment = EXPERIMENT, call: Any = no_model) -> None:
    tracker = ViaMLflow(experiment, place, call)
    for news in story:
        tracker.hear(news)
    tracker.close()


def runs_of(place: Place) -> dict[str, Any]:
    own = client(place.uri)
    found = own.search_runs([own.get_experiment_by_name(place.experiment).experiment_id], max_results=100)
    return {run.data.tags["hpsearch.key"]: run for run in found}


def everything(place: Place) -> Any:
    own = client(place.uri)
    return {
        key: (
            run.info.run_id, run.info.status, run.info.start_time, run.info.end_time, run.data.params, run.data.tags,
            {name: [(p.step, p.value, p.timestamp) for p in own.get_metric_history(run.info.run_id, name)] for name in run.data.metrics},
        )
        for key, run in runs_of(place).items()
    }  # fmt: skip


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
    assert runs["search 0"].data.metrics["test_f1_macro"] == 0.85
    assert runs["search 0"].data.metrics["n_parameters"] == 1234
    assert runs["study"].data.metrics["test_accuracy"] == 0.81
    assert runs["study"].data.params["search.tuner"] == "keras-tuner.random"
    assert runs["study"].data.tags["hpsearch.data_digest"] == "abc123"
    assert "**0.8100**" in runs["study"].data.tags["mlflow.note.content"]
    assert runs["final 0 1"].info.run_name == "trial 0 · final seed 1"


def test_the_winner_keeps_report_matrix_and_pictures(project):
    place = place_in(project)

    hear_all(place, whole_story())

    own, winner = client(place.uri), runs_of(place)["search 0"].info.run_id
    files = {file.path for file in own.list_artifacts(winner)} | {
        file.path for file in own.list_artifacts(winner, "test")
    }
    assert {"learning_curves.png", "test/confusion_matrix.png", "test/classification_report.txt"} <= files
    assert {"class_names.json", "model_summary.txt", "test/classification_report.json"} <= files


def test_hearing_a_story_twice_is_as_good_as_once(project):
    place = place_in(project)
    hear_all(place, whole_story())
    once = everything(place)

    hear_all(place, whole_story())

    assert everything(place) == once


def test_the_studys_description_says_what_pruning_spared(project):
    experiment, ledger = pruning("median"), paths.make(project.study("tiny").folder) / "ledger.db"
    stopped = trial_story(1, [0.4], Status.PRUNED)
    stopped[-2] = replace(stopped[-2], how=How.INTERRUPTED)
    story = told([*began(experiment), *trial_story(0, [0.5, 0.8, 0.7]), *stopped, *finals()])
    with closing(Ledger(ledger)) as written:
        for news in story:
            written.write(news.body)
    place = replace(place_in(project), ledger=ledger)

    hear_all(place, story, experiment)

    told_there = runs_of(place)["study"].data.tags["mlflow.note.content"]
    assert "Pruning: 1 of 2 trials were stopped early; 2 of 6 epochs were not trained (33 %)." in told_there


def test_hearing_each_record_by_a_tracker_made_anew_comes_to_the_same(project):
    whole, parted = place_in(project), replace(place_in(project), study_id="tiny-2", experiment="parted")
    hear_all(whole, whole_story())

    for news in whole_story():
        hear_all(parted, [news])

    def stripped(place: Place) -> Any:
        return {key: (entry[1], entry[4], entry[6]) for key, entry in everything(place).items()}

    assert stripped(parted) == stripped(whole)


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
    assert [run.info.run_id for run in resumed.values()] == [run.info.run_id for run in killed.values()]


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


def test_odd_names_long_values_and_infinite_metrics_are_taken(project):
    place, attempt = place_in(project), Attempt(Fit(0, 0))
    values = {"../<b>x\n": "y" * 9000, **{f"p{number}": number for number in range(130)}}
    metrics = {"loss": float("inf"), "val loss/../x": float("nan"), **{f"m{number}": 1.0 for number in range(1100)}}
    result = TrialResult(Trial(0, values), Status.COMPLETED, 0.5, 1, 1.0)

    hear_all(place, told([*began(), AttemptBegan(attempt), Measure(attempt, 1, metrics, 0.1), result]))

    run = runs_of(place)["search 0"]
    assert len(run.data.params) == 131
    assert len(run.data.metrics) > 1100


def test_a_run_that_a_person_deletes_stops_nothing(project):
    place = place_in(project)
    story = whole_story()
    hear_all(place, story[:5])
    client(place.uri).delete_run(runs_of(place)["search 0"].info.run_id)

    hear_all(place, story[5:])

    assert "search 0" not in runs_of(place)
    assert runs_of(place)["search 1"].info.status == "FINISHED"


def test_a_server_that_is_away_raises_without_its_password():
    place = Place("http://user:S3CRET@127.0.0.1:1", "x", "tiny-1", Path())

    with pytest.raises(NotHeard) as caught, _told_apart():
        ViaMLflow(EXPERIMENT, place, no_model)

    assert "S3CRET" not in str(caught.value)


def test_a_relative_database_lies_in_the_project_and_odd_folders_are_allowed(tmp_path):
    project = paths.Project(tmp_path / "a %20? #b'ü")
    project.root.mkdir()

    uri = prepare_store(project, "sqlite:///own/runs.db")

    assert (project.root / "own" / "runs.db").stat().st_size > 0
    assert resolve(project, uri) == uri


def test_two_processes_that_meet_a_new_store_both_find_it_ready(tmp_path):
    words = "import sys; from pathlib import Path; from hpsearch import paths; from hpsearch.trackers.mlflow_store import prepare_store; prepare_store(paths.Project(Path(sys.argv[1])))"
    starts = [subprocess.Popen([sys.executable, "-c", words, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(2)]

    ends = [start.communicate(timeout=120)[1] for start in starts]

    assert [start.returncode for start in starts] == [0, 0], ends
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_winners_model_loads_back_and_predicts(project):
    words = (
        "import sys, keras; keras.Sequential([keras.layers.Input((4, 4)), keras.layers.Flatten(), "
        "keras.layers.Dense(3, activation='softmax')]).save(sys.argv[1])"
    )
    place = place_in(project)
    paths.make(place.fits / "final-0000-r1-f0")
    subprocess.run([sys.executable, "-c", words, str(place.fits / "final-0000-r1-f0" / "model.keras")], check=True)

    hear_all(place, whole_story(), call=in_a_fresh_process)

    address = runs_of(place)["search 0"].data.tags["hpsearch.model"]
    check = (
        "import sys, mlflow, numpy as np; mlflow.set_tracking_uri(sys.argv[1]); m = mlflow.pyfunc.load_model(sys.argv[2]); "
        "print(m.predict(np.zeros((2, 4, 4), 'float32')).shape, m.metadata.signature is not None, m.input_example.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, place.uri, address], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "(2, 3) True (1, 4, 4)", done.stderr
    hear_all(place, whole_story(), call=in_a_fresh_process)
    assert runs_of(place)["search 0"].data.tags["hpsearch.model"] == address


def in_a_fresh_process(function: Any, *arguments: Any) -> Any:
    import pickle

    words = (
        "import pickle, sys; f, a = pickle.load(sys.stdin.buffer); sys.stdout.buffer.write(b'<<' + pickle.dumps(f(*a)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], input=pickle.dumps((function, arguments)), capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-800:])
    return pickle.loads(done.stdout.rpartition(b"<<")[2])  # noqa: S301  # our own bytes


def get(port: int, path: str, host: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def test_the_ui_serves_the_runs_to_this_machine_only_and_leaves_no_process(project):
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
        taken = subprocess.run([*command[:5], str(port), *command[6:]], capture_output=True, text=True, check=False)
        children = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(signal.SIGINT)
        code = server.wait(30)
        watchdog.cancel()

    assert (mine, foreign, code) == (200, 403, 130)
    assert "side by side" in lines[1]
    assert taken.returncode == 8
    assert f"port {port} cannot be used" in taken.stderr
    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    assert alive == []


def test_a_server_over_http_hears_the_same_story(project):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = place_in(project)
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        own.uri,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with subprocess.Popen(
        command,
        env=environment,
        cwd=project.root,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    assert get(port, "/health", f"127.0.0.1:{port}") == 200
                    break
                except OSError:
                    time.sleep(0.2)
            place = replace(own, uri=f"http://127.0.0.1:{port}", study_id="tiny-http")

            hear_all(place, whole_story())

            runs = [run for run in runs_of(place).values() if run.data.tags["hpsearch.study_id"] == "tiny-http"]
            assert len(runs) == 6
        finally:
            os.killpg(server.pid, signal.SIGKILL)


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
    asked, send = [], tracker._client.log_batch
    tracker._client.log_batch = lambda run, *batch: asked.append(run) or send(run, *batch)

    for news in told([*began(), *trial_story(0, [0.5, 0.8, 0.7]), *trial_story(1, [0.4, 0.5])]):
        tracker.hear(news)
    tracker.flush()

    assert len(asked) == len(set(asked)) == 3  # the study's run and one a trial
    assert runs_of(place)["search 0"].data.metrics["val_accuracy"] == 0.7


def test_a_batch_that_did_not_get_through_can_be_told_again(project):
    place = place_in(project)
    hear_all(whole := replace(place, study_id="whole"), whole_story())
    tracker = ViaMLflow(EXPERIMENT, place, no_model)
    for news in whole_story()[:9]:
        tracker.hear(news)
    tracker._runs._unsent.clear()  # as when it dies before it writes

    hear_all(place, whole_story())

    def stripped(study: str) -> Any:
        own = client(place.uri)
        found = own.search_runs(["1"], f"tags.`hpsearch.study_id` = '{study}'")
        return {run.data.tags["hpsearch.key"]: (run.info.status, run.data.params, run.data.metrics) for run in found}

    assert stripped("tiny-1") == stripped("whole")
    assert whole.study_id == "whole"


def test_a_score_that_is_no_number_never_leads(project):
    place = place_in(project)
    scores = ((0, 0.8), (1, float("nan")), (2, 0.5))
    results = [TrialResult(Trial(number), Status.COMPLETED, score, 1, 1.0) for number, score in scores]

    hear_all(place, told([*began(), *results]))

    study = runs_of(place)["study"].info.run_id
    assert [(p.step, p.value) for p in client(place.uri).get_metric_history(study, "best_score")] == [(0, 0.8)]
