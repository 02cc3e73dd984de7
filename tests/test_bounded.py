"""A process takes no more than it may."""

import sys
import time

import pytest

from hpsearch.worker import process
from hpsearch.worker.bounded import limit_memory, limited_time
from hpsearch.worker.ending import ChildDied

MB = 1_000_000
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="no other system bounds memory")


def _take(more, wanted):
    limit_memory(more)
    return len(bytearray(wanted))


def _refuse(_limit, _wanted):
    message = "current limit exceeds maximum limit"  # as macOS answers where TensorFlow has reserved more addresses
    raise ValueError(message)


def _compute(seconds, limit):
    with limited_time(limit):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
    return "done"


@on_linux
def test_memory_beyond_the_limit_is_refused():
    with pytest.raises(MemoryError):
        process.call(_take, 200 * MB, 400 * MB)


def test_memory_within_the_limit_is_given():
    assert process.call(_take, 400 * MB, 200 * MB) == 200 * MB


def test_where_the_system_counts_addresses_as_data_memory_is_not_bounded(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("resource.setrlimit", _refuse)

    limit_memory(200 * MB)


def test_computing_beyond_the_limit_ends_the_process():
    with pytest.raises(ChildDied, match="SIGXCPU"):
        process.call(_compute, 30, 0.5)


def test_computing_within_the_limit_goes_on():
    assert process.call(_compute, 0.1, 2) == "done"
