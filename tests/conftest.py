"""What holds for all tests."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def heeding():
    """As begun from a terminal: a job in a shell's background has SIGINT ignored, one under nohup SIGHUP."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where prepared data go: a folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HPSEARCH_DATA", str(folder))
    return folder
