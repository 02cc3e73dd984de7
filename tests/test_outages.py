"""MLflow's server goes away in every way there is, and comes back: nothing is lost, nothing is there twice."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import chaos
import figures
import pytest
from lossy_proxy import MODES, LossyProxy
from stories import EXPERIMENT, began, everything, hear_all, no_model, runs_of, told, trial_story, whole_story
from waiting import wait_until

from hpsearch import files, paths
from hpsearch.ledger import Ledger
from hpsearch.outbox import Outbox
from hpsearch.records import AttemptBegan
from hpsearch.trackers.mlflow_store import client, experiment_id, prepare_store, project_name
from hpsearch.trackers.mlflow_trouble import NotHeard
from hpsearch.trackers.via_mlflow import Made, Place, for_study, study_id
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Status, Trial, TrialResult

LEFT = AttemptEnd(Attempt(Fit(1, 1)), How.LOST, 0.0, reason="its session ended without a word")
KEPT = ("hpsearch.study_id", "mlflow.parentRunId", "hpsearch.model")  # tags that differ between studies


class Server:
    """A real `mlflow server` on a SQLite file, which can be killed and started again on its port."""

    def __init__(self, folder, store):
        (folder / "mlflow.db").write_bytes(store)
        self.uri, self._folder = f"sqlite:///{folder / 'mlflow.db'}", folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]

    def start(self):
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        words = ["--backend-store-uri", self.uri, "--port", str(self.port), "--workers", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words], cwd=self._folder, env=os.environ | quiet,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(self._up)

    def _up(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/health")
            return connection.getresponse().status == 200

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store):
    server = Server(tmp_path_factory.mktemp("server"), empty_store)
    server.start()
    yield server
    server.kill()


class Told:
    """A study whose records an outbox carries to MLflow while they are written."""

    def __init__(self, root, uri):
        tracking = EXPERIMENT.tracking.model_copy(update={"mlflow": uri})
        experiment = EXPERIMENT.model_copy(update={"tracking": tracking})
        project = paths.Project(root)
        self.folder = project.study(experiment.name)
        files.make(self.folder.folder)
        self._ledger = Ledger(self.folder.ledger)
        self._made, self.name = Made(project, experiment, self.folder), project_name(project)
        self.begin()

    def begin(self):
        self.outbox = Outbox(self.folder.ledger, self.folder.cursor, self._made, no_model)
        self._begun = False

    def write(self, *bodies):
        for body in bodies:
            self._ledger.write(body)
        self._ledger.commit()
        if not self._begun:
            self.outbox.start()
            self._begun = True

    def place(self, uri):
        return Place(uri, self.name, study_id(EXPERIMENT, self.folder), self.folder.fits)

    def close(self):
        self.outbox.close(0)
        self._ledger.close()


@pytest.fixture
def tell(tmp_path, empty_store):
    (tmp_path / "runs.db").write_bytes(empty_store)
    begun = []

    def begin(uri):
        begun.append(Told(tmp_path, uri))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


@pytest.fixture
def proxy(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    proxy = LossyProxy(server.port, slow_seconds=4)
    yield proxy
    proxy.close()


def what_is_told(place):
    """All that MLflow has of a study's runs, but for what two tellings of a story have each of its own."""
    found = {}
    for key, (_, status, _, _, params, tags, history) in everything(place).items():
        points = {name: [(step, value) for step, value, _ in points] for name, points in history.items()}
        found[key] = (status, params, {name: text for name, text in tags.items() if name not in KEPT}, points)
    return found


def straight(place, bodies):
    """The same of a study that was told without a trouble."""
    other = replace(place, study_id="straight", experiment=f"{place.experiment}-straight")
    artifacts = (place.fits / "straight").as_uri()  # MLflow's own choice is the folder that the tests are run from
    experiment_id(client(place.uri), other.experiment, artifacts)
    hear_all(other, told(bodies))
    return what_is_told(other)


@pytest.mark.promise("11", "61", "P7")
def test_outages_of_every_kind_lose_and_double_nothing_and_are_over_in_ten_seconds(tell, server, proxy):
    study, bodies = tell(f"http://127.0.0.1:{proxy.port}"), [news.body for news in whole_story()]
    parts = [bodies[place : place + 5] for place in range(0, len(bodies), 5)]
    study.write(*parts[0])
    wait_until(lambda: study.outbox.waiting() == 0)
    returns = {}

    for mode, part in zip(MODES, parts[1:], strict=False):
        proxy.become(mode)
        study.write(*part)
        wait_until(lambda: study.outbox.trouble)
        proxy.become("pass")
        began = time.monotonic()
        wait_until(lambda: study.outbox.waiting() == 0)
        returns[mode] = time.monotonic() - began
    study.write(*(body for part in parts[1 + len(MODES) :] for body in part))

    assert study.outbox.close(60) == 0
    assert list(returns) == list(MODES)
    figures.note("P7", caught_up_seconds=returns)
    assert max(returns.values()) < 20, returns  # ten, and as much again for a machine under load
    place = study.place(server.uri)
    assert what_is_told(place) == straight(place, bodies)


@pytest.mark.promise("11")
def test_a_server_that_was_killed_and_comes_back_hears_all(tell, server):
    study, bodies = tell(f"http://127.0.0.1:{server.port}"), [news.body for news in whole_story()]
    study.write(*bodies[:9])
    wait_until(lambda: study.outbox.waiting() == 0)

    server.kill()
    study.write(*bodies[9:])
    wait_until(lambda: study.outbox.trouble)
    server.start()

    assert study.outbox.close(60) == 0
    place = study.place(server.uri)
    assert what_is_told(place) == straight(place, bodies)


@pytest.mark.promise("11")
def test_a_winners_model_that_met_an_outage_is_logged_when_it_is_over(tmp_path, server, proxy):
    study = Told(tmp_path, f"http://127.0.0.1:{proxy.port}")
    away, back = study.place(f"http://127.0.0.1:{proxy.port}"), study.place(server.uri)

    def outage(*_arguments):
        proxy.become("503")
        raise ConnectionError("503 Service Unavailable")

    with pytest.raises(NotHeard):
        hear_all(away, whole_story(), call=outage)
    proxy.become("pass")
    hear_all(away, whole_story(), call=lambda *_arguments: "models:/m-1")

    assert runs_of(back)["search 0"].data.tags["hpsearch.model"] == "models:/m-1"


@pytest.mark.promise("12", "P8")
def test_a_server_that_never_comes_back_holds_nobody_up_and_is_told_the_rest_another_time(tell, server, proxy):
    study, bodies = tell(f"http://127.0.0.1:{proxy.port}"), [news.body for news in whole_story()]
    proxy.become("hang")
    study.write(*bodies)
    began = time.monotonic()

    left = study.outbox.close(3)

    assert time.monotonic() - began < 15
    assert left == len(bodies)
    proxy.become("pass")
    study.begin()
    study.write()
    assert study.outbox.close(60) == 0
    figures.note("P8", pending=left, pending_after=study.outbox.waiting())
    place = study.place(server.uri)
    assert what_is_told(place) == straight(place, bodies)


@pytest.mark.long
@pytest.mark.promise("P7", "P22")
def test_a_search_takes_no_longer_while_mlflow_is_away(server, tmp_path):
    """Each mode for itself; all trials run while it lasts. Without MLflow it takes as long as with it."""
    proxy, searched = LossyProxy(server.port, slow_seconds=4), {}
    for mode in ("untracked", "pass", "refuse", "503", "hang", "cut"):
        proxy.become("pass" if mode == "untracked" else mode)
        arena = chaos.Arena(tmp_path / mode, trials=30, mlflow=mode != "untracked", epoch_seconds=0.1)
        experiment = arena.folder / "tiny.toml"
        address = f"http://127.0.0.1:{proxy.port}"
        experiment.write_text(experiment.read_text().replace("sqlite:///mlruns/mlflow.db", address))
        assert arena.finish() == 0
        results = [news for news in arena.story() if isinstance(news.body, TrialResult)]
        assert {news.body.status for news in results} == {Status.COMPLETED}
        searched[mode] = results[-1].searched
    proxy.close()
    ratios = {mode: seconds / searched["pass"] for mode, seconds in searched.items()}
    figures.note("P7", slowdown=ratios)
    figures.note("P22", tracked_to_untracked=1 / ratios["untracked"])
    assert max(ratios.values()) < 1.5  # 1.05 on a machine that has nothing else to do


@pytest.mark.promise("6", "P6")
def test_after_a_kill_the_next_start_brings_every_run_to_the_end_it_had(tell, tmp_path):
    study = tell(f"sqlite:///{tmp_path / 'runs.db'}")
    failed = TrialResult(Trial(2, {"rate": 0.3}), Status.FAILED, failure=Failure("ValueError", "too deep"))
    study.write(
        *began(), *trial_story(0, [0.5, 0.8])[:-1], AttemptBegan(Attempt(Fit(1, 1))), AttemptBegan(Attempt(Fit(2, 2)))
    )
    wait_until(lambda: study.outbox.waiting() == 0)
    study.outbox._quit.set()
    os.kill(study.outbox._process.pid, signal.SIGKILL)  # between the ledger's commit and MLflow's end_run
    study.write(trial_story(0, [0.5, 0.8])[-1], failed)
    place = study.place(study._made.experiment.tracking.mlflow)
    before = {key: run.info.status for key, run in runs_of(place).items()}

    study.begin()
    again = time.monotonic()
    study.write(LEFT, *began())
    wait_until(lambda: study.outbox.waiting() == 0)
    closed = time.monotonic() - again
    figures.note("P6", closed_seconds=closed)
    assert closed < 20  # 5 on a machine that has nothing else to do

    runs = runs_of(place)
    assert set(before.values()) == {"RUNNING"}
    assert {key: run.info.status for key, run in runs.items() if key != "study"} == {
        "search 0": "FINISHED", "search 1": "KILLED", "search 2": "FAILED",
    }  # fmt: skip
    assert {key: run.data.tags["hpsearch.reason"] for key, run in runs.items() if key != "study"} == {
        "search 0": "completed", "search 1": "its session ended without a word", "search 2": "ValueError: too deep",
    }  # fmt: skip


@pytest.mark.promise("P6")
def test_a_tracker_that_is_killed_in_the_middle_doubles_nothing(tell, tmp_path):
    study, bodies = tell(f"sqlite:///{tmp_path / 'runs.db'}"), [news.body for news in whole_story()]
    study.write(*bodies[:9])
    wait_until(lambda: study.outbox.waiting() == 0)

    os.kill(study.outbox._process.pid, signal.SIGKILL)
    study.write(*bodies[9:])

    assert study.outbox.close(60) == 0
    place = study.place(study._made.experiment.tracking.mlflow)
    assert what_is_told(place) == straight(place, bodies)
    assert {status for status, *_ in what_is_told(place).values()} == {"FINISHED", "FAILED"}


def test_a_run_that_came_of_a_call_without_an_answer_is_not_there_twice(tmp_path, empty_store):
    (tmp_path / "runs.db").write_bytes(empty_store)
    uri = prepare_store(paths.Project(tmp_path), f"sqlite:///{tmp_path / 'runs.db'}")
    place, story = Place(uri, tmp_path.name, "tiny-1", Path()), whole_story()
    hear_all(place, story[:6])
    first = runs_of(place)["search 0"]
    late = {key: first.data.tags[key] for key in ("hpsearch.study_id", "hpsearch.key")}
    client(uri).create_run(first.info.experiment_id, tags=late)

    hear_all(place, story[6:])

    runs = client(uri).search_runs([first.info.experiment_id])
    assert sorted(run.data.tags["hpsearch.key"] for run in runs) == sorted(runs_of(place))
    assert runs_of(place)["search 0"].info.run_id == first.info.run_id


def test_a_study_that_is_not_to_be_tracked_gets_no_tracker(tmp_path):
    untracked = EXPERIMENT.model_copy(update={"tracking": EXPERIMENT.tracking.model_copy(update={"mlflow": False})})

    assert for_study(paths.Project(tmp_path), untracked, paths.Study(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
