"""Watches the memory of a long study: the coordinator's, its helpers', and each worker's.

python benchmarks/memory.py --trials 500

Trains short trials of the quickstart experiment (one epoch each) through the real program. Four times a second the
memory that a process has for itself (unique set size) is read of the coordinator, of the processes that workers are
forked from and that MLflow is told from, and of the workers; reported are their medians over blocks of trials.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

import reporting
from hpsearch import paths
from hpsearch.errors import HpsearchError
from hpsearch.study import read
from hpsearch.trial import TrialResult

MIB = 2**20
GLANCE_SECONDS = 0.25
COORDINATOR, FORKED_FROM, MLFLOW, WORKERS = KINDS = (
    "coordinator", "what workers are forked from", "what tells MLflow", "a worker",
)  # fmt: skip
SOONEST = 1.0  # seconds; a worker younger than that has not yet touched what it will


@dataclass(frozen=True)
class Sample:
    """What one process had for itself at one moment."""

    at: float
    kind: str
    mib: float


def main() -> None:
    """Run, watch, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--block", type=int, default=50, help="trials that are summed up in one row")
    parser.add_argument("--out", type=Path, default=reporting.RESULTS / "memory.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = list(_watched(Path(folder), given.trials))
        ends = _ends(Path(folder))
    result = _result(_rows(samples, ends, given.block), given.trials)
    result.write(given.out)
    for row in (result.columns, *result.rows):
        print("  ".join(f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in row))


def _watched(project: Path, trials: int) -> Iterator[Sample]:
    for name in ("experiments", "searchspace"):
        shutil.copytree(reporting.ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    sets = (f"search.trials={trials}", "train.epochs=1", "final.finalists=1", "final.seeds=1")
    words = ["run", "experiments/quickstart.toml", "--plain", *(word for one in sets for word in ("--set", one))]
    command = [sys.executable, "-m", "hpsearch", *words]
    with psutil.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as coordinator:
        while coordinator.poll() is None:
            yield from _glance(coordinator)
            time.sleep(GLANCE_SECONDS)
        if coordinator.returncode:
            message = f"the study ended with exit code {coordinator.returncode}"
            raise SystemExit(message)


def _glance(coordinator: psutil.Process) -> Iterator[Sample]:
    now = time.time()
    with suppress(psutil.Error):  # a process may end while it is looked at
        yield Sample(now, COORDINATOR, coordinator.memory_full_info().uss / MIB)
    for process in coordinator.children(recursive=True):
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if now - process.create_time() < SOONEST or "resource_tracker" in words:
                continue
            kind = WORKERS
            if process.ppid() == coordinator.pid:
                kind = FORKED_FROM if "forkserver" in words else MLFLOW
            yield Sample(now, kind, process.memory_full_info().uss / MIB)


def _ends(project: Path) -> list[float]:
    """When each trial ended, in seconds since 1970."""
    try:
        story = list(read(paths.Project(project), "quickstart"))
    except HpsearchError as error:
        raise SystemExit(str(error)) from error
    return [news.time_ms / 1000 for news in story if isinstance(news.body, TrialResult)]


def _rows(samples: Sequence[Sample], ends: Sequence[float], block: int) -> list[list[reporting.Cell]]:
    rows: list[list[reporting.Cell]] = []
    for first in range(0, len(ends) - 1, block):
        last = min(first + block, len(ends)) - 1
        during: dict[str, list[float]] = defaultdict(list)
        for sample in samples:
            if ends[first] <= sample.at <= ends[last]:
                during[sample.kind].append(sample.mib)
        rows.append([last + 1, *(median(during[kind]) if during[kind] else None for kind in KINDS)])
    return rows


def _result(rows: Sequence[Sequence[reporting.Cell]], trials: int) -> reporting.Result:
    return reporting.Result(
        title=f"Memory over {trials} trials, in MiB",
        command=reporting.command("--out"),
        predicted="flat in all processes",
        machine=reporting.machine(),
        columns=["trials ended", *KINDS],
        rows=rows,
        words=[
            "Medians of what a process has for itself, over the time of each block of trials.",
            "Every trial has a process of its own, so that nothing can add up in workers.",
        ],
    )


if __name__ == "__main__":
    main()
