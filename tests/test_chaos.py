"""Studies that are killed at named places and at random moments come to what undisturbed ones come to."""

import os
import signal
import time
from pathlib import Path

import chaos
import figures
import history
import pytest

from hpsearch.ledger import KINDS
from hpsearch.trial import TrialResult

DURABLE = ("SpaceFound", "TrialResult", "FinalistsChosen", "TestOpened", "Verdict", "SessionEnded")
NOT_HERE = {"TestLooked", "Planned", "TestCurve"}  # a command after the end, a warm start, final.keep_epochs
WRITTEN = [f"{kind}.written" for kind in KINDS if kind not in NOT_HERE] + [f"{kind}.durable" for kind in DURABLE]
FILES = ("holder.json", "holdout.npz", "experiment.json", "classification_report.txt", "manifest.json", "report.html")
COORDINATOR = [*WRITTEN, *(f"{file}.{moment}" for file in FILES for moment in ("filled", "renamed"))]
ALIKE = {  # each record is lost at one place, three are kept at another; of the files, three are found whole
    "SpaceFound.durable", "FinalistsChosen.durable", "Verdict.durable",
    "holder.json.filled", "holdout.npz.renamed", "experiment.json.filled", "classification_report.txt.renamed",
    "manifest.json.filled", "report.html.renamed",
}  # fmt: skip
WORKER = {  # each place at another time, so that of a single worker's trials none is lost three times and given up
    "fit.begun": 1, "checkpoint.bin.filled": 8, "fit.built": 5, "epoch.trained": 22, "epoch.told": 30,
    "checkpoint.bin.renamed": 38, "fit.ended": 8, "best.bin.filled": 46, "best.bin.renamed": 54,
}  # fmt: skip
SELDOM = {  # the same over 45 trials
    "fit.begun": 3, "checkpoint.bin.filled": 20, "fit.built": 12, "epoch.trained": 80, "epoch.told": 105,
    "checkpoint.bin.renamed": 130, "best.bin.filled": 135, "best.bin.renamed": 155, "fit.ended": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    arena = chaos.Arena(tmp_path_factory.mktemp("chaos") / "undisturbed")
    assert arena.finish() == 0
    return arena


def failing(folder, failpoints, **arena):
    (folder / "counts").mkdir(parents=True)
    more = {"HPSEARCH_FAILPOINT": ",".join(failpoints), "HPSEARCH_FAILPOINT_COUNTS": str(folder / "counts")}
    return chaos.Arena(folder / "project", more=more, **arena)


@pytest.mark.promise("1", "2", "3", "4", "5", "7", "9", "P2")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("left_out", [ALIKE, pytest.param(set(), marks=pytest.mark.long)], ids=["most", "all"])
def test_a_coordinator_killed_at_each_place_of_its_way_comes_to_the_same_end(tmp_path, undisturbed, left_out):
    places = sorted({*COORDINATOR} - left_out)
    arena = failing(tmp_path, [f"{place}=kill" for place in places])

    code = arena.finish(starts=2 * len(places))

    assert code == 0
    assert arena.wrong(undisturbed) == []
    assert sorted(file.name for file in (tmp_path / "counts").iterdir()) == places


@pytest.mark.promise("2", "3", "4", "5", "10", "P2")
@pytest.mark.parametrize("later", [0, pytest.param(1, marks=pytest.mark.long)])
def test_workers_killed_at_each_place_of_their_way_are_replaced(tmp_path, undisturbed, later):
    arena = failing(tmp_path, [f"{place}=kill@{number + later}" for place, number in WORKER.items()], workers=1)

    assert arena.finish() == 0

    assert arena.wrong(undisturbed) == []
    assert sorted(file.name for file in (tmp_path / "counts").iterdir()) == sorted(WORKER)


@pytest.mark.promise("8", "19")
def test_a_trial_whose_first_epoch_takes_the_coordinator_down_is_given_up_after_four_sessions(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=1, workers=1, more={"HPSEARCH_FAILPOINT": "Measure.written=kill"})

    codes = [arena.start().wait(120) for _ in range(5)]

    assert codes == [-signal.SIGKILL] * 4 + [1]
    results = [news.body for news in arena.story() if isinstance(news.body, TrialResult)]
    assert [(result.trial.number, result.failure.kind) for result in results] == [(0, "lost")]


@pytest.mark.long
@pytest.mark.promise("6", "P6")
def test_runs_that_a_killed_coordinator_left_open_in_mlflow_are_closed_by_the_next(tmp_path, undisturbed):
    places = (
        "outbox.heard=kill@2",
        "AttemptEnd.written=kill@3",
        "TrialResult.durable=kill@5",
        "mlflow.cursor.filled=kill@2",
    )
    arena = failing(tmp_path, places)
    arena.mlflow = True
    arena.lay_out()

    assert arena.finish() == 0

    assert arena.wrong(undisturbed) == []


@pytest.mark.promise("10", "P4")
def test_a_kill_for_every_five_trials_costs_an_epoch_each_and_little_time(tmp_path):
    harmed = failing(tmp_path, [f"{place}=kill@{number}" for place, number in SELDOM.items()])
    quiet = chaos.Arena(tmp_path / "quiet")
    seconds = {}
    for arena in (quiet, harmed):
        arena.trials, arena.epoch_seconds = 5 * len(SELDOM), 0.1
        arena.lay_out()
        began = time.monotonic()
        assert arena.finish() == 0
        seconds[arena.folder] = time.monotonic() - began

    assert harmed.wrong(quiet) == []
    killed = len(list((tmp_path / "counts").iterdir()))
    again, ratio = history.wasted(history.diary(harmed.diary)), seconds[harmed.folder] / seconds[quiet.folder]
    figures.note("P4", kills=killed, trials=harmed.trials, epochs_again=again, ratio=ratio)
    assert killed == len(SELDOM)
    assert again <= killed
    assert ratio < 2  # 1.3 on a machine that has nothing else to do


@pytest.mark.promise("8", "P3")
def test_a_killed_study_is_at_its_next_trial_soon(tmp_path, undisturbed):
    arena = chaos.Arena(tmp_path)
    began, run = time.monotonic(), arena.start()
    arena.wait_for(12)
    first = history.diary(arena.diary)[0]["at"] - began
    run.kill()
    run.wait()
    known = len(history.diary(arena.diary))

    began = time.monotonic()
    assert arena.finish() == 0

    again = min(entry["at"] for entry in history.diary(arena.diary)[known:] if entry["what"] == "began") - began
    figures.note("P3", without_tensorflow=first, again_without_tensorflow=again)
    assert arena.wrong(undisturbed) == []
    assert again < 10  # half a second on a machine that has nothing else to do


@pytest.mark.long
@pytest.mark.promise("14", "15", "P15")
@pytest.mark.timeout(600)
def test_of_ten_studies_stopped_by_ctrl_c_each_leaves_nothing_and_goes_on(tmp_path, undisturbed):
    once, twice = [], []
    for number in range(10):
        arena = chaos.Arena(tmp_path / str(number), epoch_seconds=0.1)
        run = arena.start()
        arena.wait_for(5 + 4 * number)
        took, already = twice if number % 2 else once, _waited(run.pid)
        run.send_signal(signal.SIGINT)
        began = time.monotonic()
        if took is twice:
            time.sleep(0.05)  # sooner, the two may be heard as one
            run.send_signal(signal.SIGINT)

        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
        took.append(time.monotonic() - began - (_waited(run.pid) - already))
        assert run.wait() == 130
        assert arena.left_over() == []
        assert arena.finish() == 0
        assert arena.wrong(undisturbed) == []
    figures.note("P15", tries=10, orphans=0, once_seconds=max(once), twice_seconds=max(twice))
    assert max(once) < 10
    assert max(twice) < 2


def _waited(pid):
    """Seconds for which the process was ready and other work had the processors; also where it has ended."""
    file = Path(f"/proc/{pid}/schedstat")
    return int(file.read_text().split()[1]) / 1e9 if file.exists() else 0.0


@pytest.mark.promise("8", "10", "16", "P1", "P4")
@pytest.mark.timeout(600)
def test_random_kills_lose_and_double_nothing():
    outcome = chaos.soak(seed=7, kills=12, seconds=300)

    assert outcome["wrong"] == []
    assert outcome["kills"] >= 12
    figures.note("P1", **{name: many for name, many in outcome.items() if name != "wrong"})
    assert outcome["epochs trained twice"] <= outcome["kills"] * 2 + outcome.get("bits flipped", 0) * chaos.EPOCHS


def test_the_nemesis_sees_a_result_that_was_changed(tmp_path, undisturbed):
    other = chaos.Arena(tmp_path / "other", epochs=chaos.EPOCHS - 1)

    assert other.finish() == 0

    assert any(found.startswith("it came to") for found in other.wrong(undisturbed))
