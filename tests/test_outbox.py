"""The outbox carries every record to its tracker, in order, whatever the tracker does meanwhile."""

import threading
import time

import pytest

from hpsearch.ledger import Ledger
from hpsearch.outbox import BATCH, Outbox
from hpsearch.records import FinalistsChosen


class Listener:
    def __init__(self, failures=0, deaf=None):
        self.heard, self.failures, self.deaf, self.closed = [], failures, deaf, 0

    def hear(self, news):
        if self.deaf and self.deaf.is_set():
            message = "nobody is there"
            raise ConnectionError(message)
        if self.failures:
            self.failures -= 1
            message = "busy"
            raise TimeoutError(message)
        self.heard.append(news.number)

    def close(self):
        self.closed += 1


class Batcher(Listener):
    """Holds back what it hears; `lost` batches are lost on their way."""

    def __init__(self, lost=0):
        super().__init__()
        self.held, self.batches, self.lost = [], [], lost

    def hear(self, news):
        self.held.append(news.number)

    def flush(self):
        held, self.held = self.held, []
        if self.lost:
            self.lost -= 1
            message = "busy"
            raise TimeoutError(message)
        self.batches.append(held)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def follow(tmp_path, listener):
    outbox = Outbox(tmp_path / "ledger.db", tmp_path / "cursor", lambda: listener)
    outbox.start()
    return outbox


def write(ledger, count):
    for number in range(count):
        ledger.write(FinalistsChosen((number,)))
    ledger.commit()


def test_records_are_heard_in_order_while_they_are_written(ledger, tmp_path):
    outbox = follow(tmp_path, listener := Listener())

    write(ledger, 50)

    assert outbox.close(patience=10) == 0
    assert listener.heard == list(range(1, 51))
    assert listener.closed == 1


def test_a_tracker_that_fails_hears_the_same_record_again(ledger, tmp_path):
    write(ledger, 3)

    outbox = follow(tmp_path, listener := Listener(failures=2))

    assert outbox.close(patience=10) == 0
    assert listener.heard == [1, 2, 3]


def test_a_tracker_that_is_away_is_told_of_and_caught_up_by_the_next_run(ledger, tmp_path):
    away = threading.Event()
    away.set()
    write(ledger, 4)
    first = follow(tmp_path, Listener(deaf=away))

    left = first.close(patience=1)
    second = follow(tmp_path, listener := Listener())

    assert left == 4
    assert "nobody is there" in first.trouble
    assert second.close(patience=10) == 0
    assert listener.heard == [1, 2, 3, 4]


def test_a_restart_goes_on_after_what_was_heard(ledger, tmp_path):
    write(ledger, 5)
    follow(tmp_path, Listener()).close(patience=10)
    write(ledger, 2)

    outbox = follow(tmp_path, listener := Listener())

    assert outbox.close(patience=10) == 0
    assert listener.heard == [6, 7]


def test_closing_does_not_wait_longer_than_asked(ledger, tmp_path):
    away = threading.Event()
    away.set()
    write(ledger, 1)
    outbox = follow(tmp_path, Listener(deaf=away))
    began = time.monotonic()

    outbox.close(patience=0.5)

    assert time.monotonic() - began < 3


def test_a_tracker_that_can_write_much_at_once_is_given_much_at_once(ledger, tmp_path):
    write(ledger, BATCH + 3)

    outbox = follow(tmp_path, listener := Batcher())

    assert outbox.close(patience=10) == 0
    assert listener.batches == [list(range(1, BATCH + 1)), list(range(BATCH + 1, BATCH + 4))]


def test_a_batch_that_was_lost_is_told_again_whole(ledger, tmp_path):
    write(ledger, 3)

    outbox = follow(tmp_path, listener := Batcher(lost=2))

    assert outbox.close(patience=10) == 0
    assert listener.batches == [[1, 2, 3]]
