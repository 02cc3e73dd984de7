"""Ten thousand trials and very many measures cost what the first did, each."""

import json
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import figures
import long_study
import psutil
import pytest

from hpsearch import plugins
from hpsearch.ledger import GROUP_ROWS, GROUP_SECONDS
from hpsearch.objective import Objective
from hpsearch.protocols import Brief
from hpsearch.report.facts import gather
from hpsearch.report.html import write_report
from hpsearch.study import read
from hpsearch.trial import Attempt, Fit, Measure
from hpsearch.worker.wire import Wire
from instant_study import InstantStudy
from instant_trials import Pace

ROOT = Path(__file__).parent.parent
MB = 1_000_000


def benchmark(tmp_path, trials, *options):
    """What `benchmarks/coordinator.py` finds about a study of instant trials, without MLflow.

    As a module: multiprocessing runs a file that Python was given again in each process of a trial, imports and all.
    """
    out = tmp_path / "found.json"
    words = ["--trials", str(trials), "--tuners", "optuna.random", "--no-mlflow", "--no-events", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-c", "import coordinator; coordinator.main()", *words, *options],
        check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])},
    )  # fmt: skip
    (run,) = json.loads(out.read_text())["runs"]
    return run


def costs_what_the_first_did(first, last):
    """By the processor time of the coordinator's own thread, which other work on the machine does not change much."""
    figures.note(
        "P21", first_thread_ms=first["thread_ms"], last_thread_ms=last["thread_ms"], last_wall_ms=last["wall_ms"],
        coordinator_mb=last["coordinator_mb"],
    )  # fmt: skip
    assert last["thread_ms"] <= 100  # some 10 on a fast machine, 30 on a slow one
    assert last["thread_ms"] <= 2 * first["thread_ms"]
    assert last["coordinator_mb"] <= 300


@pytest.mark.promise("51", "P21")
def test_a_trial_late_in_a_study_costs_what_the_first_did(tmp_path):
    _, first, *_, last = benchmark(tmp_path, 100, "--block", "20")["blocks"]  # in the very first block much is imported

    costs_what_the_first_did(first, last)


@pytest.mark.long
@pytest.mark.promise("51", "P21")
def test_the_last_of_ten_thousand_trials_costs_what_the_first_did(tmp_path):
    """The first 9,500 are written as a search would; `benchmarks/coordinator.py --trials 10000` makes them all."""
    _, first, *_ = benchmark(tmp_path, 200, "--block", "100")["blocks"]
    long_study.write(tmp_path, 9_500, 5, "instant")

    run = benchmark(tmp_path, 10_000, "--block", "100", "--folder", str(tmp_path))

    _, early, *_, last = run["blocks"]
    costs_what_the_first_did(first, last)
    resume = {name: run[name] for name in ("resume_seconds", "resume_thread_seconds")}
    figures.note("P21", **resume, grown_mb=last["coordinator_mb"] - early["coordinator_mb"])
    assert last["coordinator_mb"] - early["coordinator_mb"] < 6  # in 300 trials; 10,000 would take 200 more
    assert run["resume_thread_seconds"] <= 5


@pytest.mark.long
@pytest.mark.promise("51", "P21")
def test_ten_thousand_trials_are_shown_in_a_second_and_reported_in_ten(tmp_path):
    project = long_study.write(tmp_path, 10_000, 20)
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run(
        [sys.executable, "-m", "hpsearch", "show", long_study.NAME], cwd=tmp_path, check=True, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout  # fmt: skip
    wall, now = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime

    began = time.process_time()
    write_report(gather(read(project, long_study.NAME)), project.study(long_study.NAME).report)
    report = time.process_time() - began

    figures.note("P21", show_seconds=wall, show_processor_seconds=processor, report_processor_seconds=report)
    assert "… and 9985 more" in shown
    assert "3333 of 10000 trials were stopped early" in shown
    assert processor <= 2  # 1 on a machine that has nothing else to do
    assert report <= 20  # 10, the same


@pytest.mark.promise("51", "P3", "P21")
@pytest.mark.parametrize("name", ["asha", "median"])
def test_a_pruner_hears_ten_thousand_trials_again_in_a_second_or_two(name):
    """As when a study is taken up again of which no trial was stopped early."""
    pruner = plugins.make("pruners", name, {})
    pruner.begin(Brief(Objective.parse("max val_accuracy"), seed=1, trials=10_000, epochs=20))
    began = time.process_time()
    for trial in range(10_000):
        for epoch in range(1, 21):
            pruner.hear(trial, epoch, math.sin(trial) * epoch)
    took = time.process_time() - began

    figures.note("P21", **{f"{name}_replay_processor_seconds": took})
    assert took <= 4  # 0.6 on a machine that has nothing else to do; with a look at all others it was 100


def told_as_fast_as_can_be(tmp_path, trials, epochs):
    """Have trials, one after another, tell so many measures each; what came, and what it took."""
    transactions, held, came, all_told = [], {}, 0, trials * epochs

    def hear(news):
        nonlocal came
        came += isinstance(news.body, Measure)
        if came in (all_told // 10, all_told):
            held[came] = psutil.Process().memory_info().rss

    with InstantStudy(tmp_path, "optuna.random", trials, Pace(epochs), workers=1, mlflow=False) as study:
        study.study.ledger._db.set_trace_callback(lambda said: transactions.append(said) if said == "COMMIT" else None)
        began = time.monotonic()
        study.search(hear)
        seconds, grown = time.monotonic() - began, held[all_told] - held[all_told // 10]
        with closing(study.study.ledger.read()) as records:
            kept = sum(isinstance(news.body, Measure) for news in records)
    figures.note(
        "33", measures=kept, microseconds_each=1e6 * seconds / kept, commits=len(transactions), grown_mb=grown / MB
    )
    assert came == kept == all_told
    assert len(transactions) <= kept / GROUP_ROWS + seconds / GROUP_SECONDS + 20
    assert grown < 3 * MB


@pytest.mark.promise("33")
def test_many_measures_are_written_in_groups_and_none_is_kept_in_memory(tmp_path):
    told_as_fast_as_can_be(tmp_path, 1, 10_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.promise("33")
def test_two_hundred_thousand_measures_are_kept_nowhere_but_on_disk(tmp_path):
    told_as_fast_as_can_be(tmp_path, 2, 100_000)  # epochs: as many as an experiment may have


@pytest.mark.promise("33", "P22")
def test_a_coordinator_that_is_busy_holds_no_training_up():
    ours, theirs = multiprocessing.Pipe()
    attempt = Attempt(Fit(0, 0))
    wire, metrics = Wire(theirs, attempt), dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), 0.5)
    took = []
    with ours, theirs:
        for epoch in range(1, 101):
            began = time.thread_time()
            wire.tell(Measure(attempt, epoch, metrics, 1.0))  # nobody reads
            took.append(time.thread_time() - began)

    figures.note("P22", mean_ms=1000 * sum(took) / len(took), most_ms=1000 * max(took))
    assert sum(took) / len(took) < 0.02  # of an epoch of one second: 2 %
