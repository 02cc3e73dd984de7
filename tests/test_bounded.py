"""A process takes no more than it may."""

import sys
import time

import pytest

from hpsearch.worker import process
from hpsearch.worker.bounded import limit_memory, limited_time
from hpsearch.worker.ending import ChildDied

MB = 1_000_000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems bound neither")


def _take(more, wanted):
    limit_memory(more)
    return len(bytearray(wanted))


def _compute(seconds, limit):
    with limited_time(limit):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
    return "done"


def test_memory_beyond_the_limit_is_refused():
    with pytest.raises(MemoryError):
        process.call(_take, 200 * MB, 400 * MB)


def test_memory_within_the_limit_is_given():
    assert process.call(_take, 400 * MB, 200 * MB) == 200 * MB


def test_computing_beyond_the_limit_ends_the_process():
    with pytest.raises(ChildDied, match="SIGXCPU"):
        process.call(_compute, 30, 0.5)


def test_computing_within_the_limit_goes_on():
    assert process.call(_compute, 0.1, 2) == "done"
