"""While whole studies run, people look at MLflow's pages and delete runs there: the search hears nothing of it."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import chaos
import figures
import pytest

RUNS = chaos.TRIALS + 1 + 2  # the trials, the study, a final fit for each of two finalists
KEYS = """SELECT s.value, k.value, r.status, r.lifecycle_stage FROM runs r
    JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = 'hpsearch.study_id'
    JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = 'hpsearch.key'"""


@pytest.fixture
def arena(tmp_path):
    return chaos.Arena(tmp_path / "project", mlflow=True, epoch_seconds=0.1)


@pytest.fixture
def ui(arena):
    """Asks the real `hpsearch ui` of the arena's project."""
    words = ["-m", "hpsearch", "ui", "--port", "0", "--no-browser", "--project", str(arena.folder)]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(chaos.ROOT)}
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, env=surroundings) as pages:
        port = int(pages.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])

        def ask(path, **wanted):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                headers = {"Content-Type": "application/json", "Host": f"127.0.0.1:{port}"}
                connection.request("POST", f"/api/2.0/mlflow/{path}", json.dumps(wanted), headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())

        yield ask
        pages.send_signal(signal.SIGINT)
        pages.wait(30)


def runs(arena, stage="active"):
    with closing(sqlite3.connect(arena.folder / "mlruns" / "mlflow.db")) as db:
        return [row[:3] for row in db.execute(KEYS) if row[3] == stage]


@pytest.mark.long
@pytest.mark.promise("56", "P9")
def test_pages_that_are_polled_while_two_studies_run_cost_neither_anything(arena, ui):
    both = [arena.start(), arena.start(*chaos.RUN, "--name", "other")]
    polled, slowest = Counter(), 0.0
    while any(one.poll() is None for one in both):
        began = time.monotonic()
        polled[ui("experiments/search", max_results=5)[0]] += 1
        polled[ui("runs/search", experiment_ids=["1"], max_results=100)[0]] += 1
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)

    assert [one.wait() for one in both] == [0, 0], arena.output.read_text()[-2000:]
    figures.note("P9", polled=polled[200], slowest_seconds=slowest)
    assert set(polled) == {200}
    assert polled[200] > 10
    kept = runs(arena)
    assert list(Counter(study for study, _, _ in kept).values()) == [RUNS, RUNS]
    assert len(set(kept)) == 2 * RUNS
    assert {status for _, _, status in kept} == {"FINISHED"}


@pytest.mark.long
@pytest.mark.promise("56")
def test_runs_that_are_deleted_on_the_pages_in_mid_study_stop_nothing(arena, ui, tmp_path):
    undisturbed = chaos.Arena(tmp_path / "undisturbed")
    assert undisturbed.finish() == 0
    study, gone = arena.start(), {}
    until = time.monotonic() + 100
    while len(gone) < 3 and time.monotonic() < until and study.poll() is None:
        _, found = ui("runs/search", experiment_ids=["1"], max_results=100)
        for run in found.get("runs", []):
            key = next(tag["value"] for tag in run["data"]["tags"] if tag["key"] == "hpsearch.key")
            if key in {"study", "search 1", "search 2"} - gone.keys():
                gone[key] = ui("runs/delete", run_id=run["info"]["run_id"])[0]
        time.sleep(0.05)
    still_searching = study.poll() is None

    assert study.wait(120) == 0, arena.output.read_text()[-2000:]
    assert still_searching
    assert gone == {"study": 200, "search 1": 200, "search 2": 200}
    arena.mlflow = False  # whose runs are looked at here
    assert arena.wrong(undisturbed) == []
    assert {key for _, key, _ in runs(arena, "deleted")} == set(gone)
    left = runs(arena)
    assert {status for _, _, status in left} == {"FINISHED"}
    assert len(left) == RUNS - len(gone)
