"""Where nothing can be forked, a process for every slot waits with TensorFlow imported, and all else is the same."""

import subprocess
import sys
import time
from pathlib import Path

import odd_jobs
from commands import environment
from test_cards import local, tensorflow  # noqa: F401 - fixtures

from hpsearch.orders import Order, Slot
from hpsearch.trial import Attempt, Fit
from hpsearch.worker import ending, place, starting

DRIVER = """
import sys
from hpsearch.__main__ import main
from hpsearch.worker import starting

starting.method_here = lambda: "spawn"
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def test_a_spawned_process_has_imported_tensorflow_before_its_order_comes():
    waiting, line = starting.fresh(place.work, Slot(), odd_jobs.warm, None, method="spawn")

    warm = line.recv()

    ending.kill(waiting)
    assert warm


def test_while_every_hand_is_busy_another_process_waits_for_each(tensorflow, local, tmp_path):  # noqa: F811
    tensorflow()
    executor = local(2, odd_jobs.signs_in, method="spawn")
    (folder := tmp_path / "signed").mkdir()
    executor.open(folder)

    for number in range(2):
        executor.submit(Order(Attempt(Fit(number, 1)), Path("split.npz")))

    patience = time.monotonic() + 60
    while len(list(folder.iterdir())) < 4 and time.monotonic() < patience:
        list(executor.events(0.2))
    assert executor.free() == 0
    assert len(list(folder.iterdir())) == 4


def test_a_study_runs_from_end_to_end_where_nothing_can_be_forked(project, tmp_path):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    words = ["run", "experiments/digits.toml", "--plain", "--set", "tracking.mlflow=false"]
    words += ["--set", "search.tuner=keras-tuner.random"]  # its oracle has a process of its own
    for setting in ("search.trials=1", "train.epochs=2", "final.finalists=1", "final.seeds=1", "workers.count=1"):
        words += ["--set", setting]

    done = subprocess.run(
        [sys.executable, str(driver), *words],
        cwd=project, env=environment(project), capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (project / "mlruns" / "studies" / "digits" / "best" / "model.keras").exists()
    assert "cpu_feature_guard" not in done.stderr
