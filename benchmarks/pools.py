"""A pool of processes for benchmarks: Ctrl-C ends it at once, and a killed benchmark leaves none of it behind."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from hpsearch.worker.tether import die_with_parent


@contextmanager
def pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """So many fresh processes; on the way out by an error or by Ctrl-C, what waits is dropped and they are killed."""
    hands = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_settle)
    try:
        yield hands
    except BaseException:
        working = list((hands._processes or {}).values())  # noqa: SLF001  kill_workers() comes with Python 3.14
        hands.shutdown(wait=False, cancel_futures=True)
        for process in working:
            process.kill()
            process.join()
        raise
    hands.shutdown()


def _settle() -> None:
    """Leave Ctrl-C to the benchmark, and die with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
