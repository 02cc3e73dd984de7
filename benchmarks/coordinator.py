"""Shows what the coordinator costs a trial, from the first to the last of thousands, and how it resumes and keeps up.

    python benchmarks/coordinator.py --trials 10000

Trials train nothing (instant_trials.py); all else is real: the local executor with a forked process a trial,
the ledger, the tuners, the board, MLflow on a SQLite file. For each tuner it reports, in blocks of trials, the
milliseconds a trial takes (wall; processor time of the coordinator's thread; the tuner's ask, suggest and tell),
resident memory of the coordinator and of its children (forkserver, oracle), and how many records MLflow lags
behind; then the seconds to resume. Last, how long events are on their way while 16 workers send 1,000 a second
in all, and how many a second come through at most. It writes JSON and a plot (coordinator_report.py).
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from coordinator_report import Block, Run, say, write
from instant_trials import SPACE, Pace
from pools import pool

TUNERS = ("keras-tuner.random", "optuna.random", "optuna.tpe")
DRAIN_SECONDS = 900.0


def main() -> None:
    """Run every part in a process of its own, so that none inherits another's memory."""
    options = _options()
    asked = {
        "trials": options.trials, "epochs": options.epochs, "workers": options.workers, "values": len(SPACE),
    }  # fmt: skip
    runs: list[Run] = []
    for tuner in options.tuners:
        runs.append(_apart(long_study, tuner, options))
        write(runs, {}, asked, options.out)  # the next may take many minutes, and be broken off
    heard = {} if options.no_events else _apart(events, options)
    write(runs, heard, asked, options.out)
    say(runs, heard)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500, help="trials a tuner (500)")
    parser.add_argument("--block", type=int, help="trials a block (500, or a fifth of fewer)")
    parser.add_argument("--epochs", type=int, default=5, help="measures a trial (5)")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time (2)")
    parser.add_argument("--tuners", nargs="*", default=TUNERS, metavar="NAME", help=", ".join(TUNERS))
    parser.add_argument("--no-mlflow", action="store_true", help="leave MLflow out")
    parser.add_argument("--no-events", action="store_true", help="leave the 1,000 events a second out")
    parser.add_argument("--folder", type=Path, help="go on with the study that lies here, in place of a new one")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/coordinator.json"), help="JSON goes here")
    options = parser.parse_args()
    options.block = options.block or min(500, max(1, options.trials // 5))
    return options


def _apart(part: Any, *arguments: Any) -> Any:
    with pool(1) as hands:
        return hands.submit(part, *arguments).result()


def long_study(tuner: str, options: argparse.Namespace) -> Run:
    """Search so many trials, let MLflow catch up, and open the study again for one more."""
    from instant_study import InstantStudy

    run, pace, mlflow = Run(tuner), Pace(options.epochs), not options.no_mlflow
    with nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with InstantStudy(place, tuner, options.trials, pace, workers=options.workers, mlflow=mlflow) as study:
            study.search(_Meter(study, run, options.block).hear)
            run.drain_seconds, run.records = study.drain(DRAIN_SECONDS), study.study.state.last
        run.ledger_mb = study.study.paths.ledger.stat().st_size / 1e6
        began, used = time.perf_counter(), time.thread_time()
        with InstantStudy(place, tuner, options.trials + 1, pace, workers=options.workers, mlflow=mlflow) as study:
            run.open_seconds = time.perf_counter() - began
            study.search(_FirstTrial(run, began, used).hear)
            study.drain(DRAIN_SECONDS)
    return run


class _Meter:
    """Closes a block each time so many trials have ended."""

    def __init__(self, study: Any, run: Run, block: int) -> None:
        self._study, self._run, self._block, self._ended = study, run, block, 0
        self._marks = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.thread_time(), self._study.tuner_seconds

    def hear(self, news: Any) -> None:
        from hpsearch.trial import TrialResult

        if not isinstance(news.body, TrialResult):
            return
        self._ended += 1
        if self._ended % self._block == 0:
            now = self._now()
            wall, thread, tuner = (
                1000 * (after - before) / self._block for before, after in zip(self._marks, now, strict=True)
            )
            self._run.blocks.append(Block(self._ended, wall, thread, tuner, *_memory(), self._study.lag()))
            self._marks = self._now()


def _memory() -> tuple[float, float]:
    """Resident megabytes of this process, and of those children that outlive a trial."""
    import psutil

    own, children = psutil.Process(), []
    for child in own.children(recursive=True):
        try:
            if time.time() - child.create_time() > 1:
                children.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return own.memory_info().rss / 1e6, sum(children) / 1e6


class _FirstTrial:
    """Notes when the resumed study hands out its next trial."""

    def __init__(self, run: Run, began: float, used: float) -> None:
        self._run, self._began, self._used = run, began, used

    def hear(self, news: Any) -> None:
        from hpsearch.records import AttemptBegan

        if isinstance(news.body, AttemptBegan) and not self._run.resume_seconds:
            self._run.resume_seconds = time.perf_counter() - self._began
            self._run.resume_thread_seconds = time.thread_time() - self._used


def events(options: argparse.Namespace) -> dict[str, float]:
    """Have 16 workers send 1,000 events a second in all for 16 seconds, then two as fast as they can."""
    paced, lag, drained = _heard(16, Pace(1000, seconds=16 / 1000), options)
    rushed, _, _ = _heard(2, Pace(5000), options)
    ways = statistics.quantiles([heard - sent for heard, sent in paced], n=100)
    return {
        "paced_a_second": _rate(paced), "way_ms_median": 1000 * ways[49], "way_ms_99": 1000 * ways[98],
        "mlflow_lag": lag, "mlflow_drain_seconds": drained, "most_a_second": _rate(rushed),
    }  # fmt: skip


def _heard(workers: int, pace: Pace, options: argparse.Namespace) -> tuple[list[tuple[float, float]], int, float]:
    """When each measure was heard and sent, MLflow's lag at the end, and the seconds it took to catch up."""
    from hpsearch.trial import Measure
    from instant_study import InstantStudy

    heard: list[tuple[float, float]] = []

    def hear(news: Any) -> None:
        if isinstance(news.body, Measure):
            heard.append((time.monotonic(), news.body.seconds))

    with tempfile.TemporaryDirectory() as folder:
        mlflow = not options.no_mlflow
        with InstantStudy(Path(folder), "optuna.random", workers, pace, workers=workers, mlflow=mlflow) as study:
            study.search(hear)
            return heard, study.lag(), study.drain(DRAIN_SECONDS)


def _rate(heard: list[tuple[float, float]]) -> float:
    return (len(heard) - 1) / (heard[-1][0] - heard[0][0])


if __name__ == "__main__":
    main()
