"""Times what a search spends beside training: until the first epoch, and between the trials of one worker.

python benchmarks/start_up.py

Runs the quickstart experiment with one worker in a fresh project, several times, and reads the ledger. The first run
warms file caches and is not counted. A gap lies between the end of a trial's last epoch and the begin of the next
trial's first; it holds the last checkpoint, the coordinator's turn, build_model and the tracing of the graphs.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import reporting
from hpsearch import paths, study
from hpsearch.records import News
from hpsearch.trial import Built, Measure

GOAL_SECONDS, GOAL_GAP = 7.0, 0.25


@dataclass(frozen=True)
class Times:
    """Seconds of one run; a gap is the median over the trials."""

    first_epoch: float
    gap: float
    building: float
    tracing: float
    keeping: float


def main() -> None:
    """Run, read, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs that count")
    parser.add_argument("--out", type=Path, default=reporting.RESULTS / "start-up.json")
    given = parser.parse_args()
    runs = [_run() for _ in range(given.runs + 1)][1:]
    result = _result(runs)
    result.write(given.out)
    for row in result.rows:
        print("  ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))


def _run() -> Times:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("experiments", "searchspace"):
            shutil.copytree(reporting.ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        sets = ("workers.count=1", "final.finalists=1", "final.seeds=1")
        words = ["run", "experiments/quickstart.toml", "--plain", *(word for one in sets for word in ("--set", one))]
        began = time.time()
        command = [sys.executable, "-m", "hpsearch", *words]
        subprocess.run(command, cwd=project, check=True, capture_output=True)  # noqa: S603  # this program's own words
        return _read(list(study.read(paths.Project(project), "quickstart")), began)


def _read(story: Sequence[News], began: float) -> Times:
    built = [(news.time_ms / 1000, news.body) for news in story if isinstance(news.body, Built)]
    told = [(news.time_ms / 1000, news.body) for news in story if isinstance(news.body, Measure)]
    told = [(at, body) for at, body in told if body.attempt.fit.kind == "search"]
    gaps: list[float] = []
    keeping: list[float] = []
    for (before, last), (after, first) in pairwise(told):
        between = after - first.seconds - before
        (keeping if last.attempt == first.attempt else gaps).append(between)
    kept = median(keeping)  # an epoch is told after its checkpoint is on disk: a gap holds one, the next trial's first
    bodies = [body for _, body in built if body.attempt.fit.kind == "search"]
    return Times(
        told[0][0] - began,
        median(gaps),
        median(body.building for body in bodies),
        median(body.tracing for body in bodies),
        kept,
    )


def _result(runs: Sequence[Times]) -> reporting.Result:
    columns = ["what", "median", "least", "most", "goal"]
    measured = {
        "command to first finished epoch": [run.first_epoch for run in runs],
        "between two trials": [run.gap for run in runs],
        "of it: tracing": [run.tracing for run in runs],
        "of it: build_model": [run.building for run in runs],
        "of it: checkpoint": [run.keeping for run in runs],
        "between two trials, without tracing": [run.gap - run.tracing for run in runs],
    }
    goals = {"command to first finished epoch": GOAL_SECONDS, "between two trials, without tracing": GOAL_GAP}
    rows = [[name, median(taken), min(taken), max(taken), goals.get(name)] for name, taken in measured.items()]
    return reporting.Result(
        title="Start-up and the time between trials, in seconds",
        command=reporting.command(),
        predicted=f"{GOAL_SECONDS:g} s to the first epoch, {GOAL_GAP:g} s between trials without tracing",
        machine=reporting.machine(),
        columns=columns,
        rows=rows,
        words=["Quickstart on mnist-5k, one worker on one thread, MLflow on; medians over trials, then over runs."],
    )


if __name__ == "__main__":
    main()
