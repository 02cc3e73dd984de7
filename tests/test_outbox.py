"""The outbox carries every record to its tracker, in order, whatever the tracker does meanwhile."""

import os
import signal
import time

import odd_trackers
import psutil
import pytest
from waiting import wait_until

from hpsearch import listening
from hpsearch.errors import StateDamaged
from hpsearch.follower import BATCH
from hpsearch.ledger import Ledger
from hpsearch.outbox import Outbox
from hpsearch.records import FinalistsChosen


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


@pytest.fixture
def follow(tmp_path):
    """Start an outbox for a tracker; nothing of it is left when the test is over."""
    begun = []

    def begin(tracker, **given):
        outbox = Outbox(tmp_path / "ledger.db", tmp_path / "cursor", tracker, **given)
        outbox.start()
        begun.append(outbox)
        return outbox

    yield begin
    for outbox in begun:
        outbox.close(patience=0)


def write(ledger, count):
    for number in range(count):
        ledger.write(FinalistsChosen((number,)))
    ledger.commit()


def test_records_are_heard_in_order_while_they_are_written(ledger, tmp_path, follow):
    outbox = follow(listener := odd_trackers.Listener(tmp_path))

    write(ledger, 50)

    assert outbox.close(patience=60) == 0
    assert listener.heard == list(range(1, 51))
    assert odd_trackers.read(tmp_path / "closed") == ["closed"]


def test_a_tracker_that_fails_hears_the_same_record_again(ledger, tmp_path, follow):
    write(ledger, 3)
    for number in range(2):
        (tmp_path / f"failure{number}").touch()

    outbox = follow(listener := odd_trackers.Listener(tmp_path))

    assert outbox.close(patience=60) == 0
    assert listener.heard == [1, 2, 3]


@pytest.mark.promise("12")
def test_a_tracker_that_heard_all_and_cannot_end_is_told_of(ledger, tmp_path, follow, monkeypatch):
    monkeypatch.setattr(listening, "QUIET_SECONDS", 0.5)
    write(ledger, 3)
    outbox, said = follow(odd_trackers.Unending(tmp_path)), []
    wait_until(lambda: outbox.waiting() == 0)

    listening.drain(outbox, "tiny", said.append, patience=0.5)

    (warning,) = said
    assert warning.startswith("warning: MLflow has not heard the end of tiny: ")
    assert "hpsearch sync tiny" in warning


@pytest.mark.promise("54")
def test_of_a_study_that_is_taken_away_while_it_runs_a_tracker_hears_the_end(ledger, tmp_path, follow):
    write(ledger, 2)
    outbox = follow(listener := odd_trackers.Listener(tmp_path))
    wait_until(lambda: listener.heard == [1, 2])
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")

    with pytest.raises(StateDamaged):  # who asks how many records wait finds none
        outbox.drain(patience=60)
    (tmp_path / "elsewhere.db").rename(tmp_path / "ledger.db")

    assert outbox.finished
    assert listener.heard == [1, 2, 3]


@pytest.mark.promise("P8")
def test_a_tracker_that_heard_all_and_did_not_end_is_brought_to_its_end_by_the_next_run(ledger, tmp_path, follow):
    write(ledger, 3)
    waiting = []

    for tracker in (odd_trackers.Unending(tmp_path), odd_trackers.Listener(tmp_path)):
        outbox = follow(tracker)
        outbox.drain(patience=0)
        wait_until(lambda: outbox.trouble or outbox.finished)  # noqa: B023  # it is called at once
        outbox.close(patience=0)
        waiting.append(Outbox(tmp_path / "ledger.db", tmp_path / "cursor", tracker).waiting())

    assert waiting == [1, 0]
    assert odd_trackers.read(tmp_path / "closed") == ["closed"]


@pytest.mark.promise("12")
def test_a_tracker_that_is_away_is_told_of_and_caught_up_by_the_next_run(ledger, tmp_path, follow):
    (tmp_path / "away").touch()
    write(ledger, 4)
    first = follow(odd_trackers.Listener(tmp_path))
    wait_until(lambda: first.trouble)

    left = first.close(patience=1)
    (tmp_path / "away").unlink()
    second = follow(listener := odd_trackers.Listener(tmp_path))

    assert left == 4
    assert "nobody is there" in first.trouble
    assert second.close(patience=60) == 0
    assert listener.heard == [1, 2, 3, 4]


def test_a_restart_goes_on_after_what_was_heard(ledger, tmp_path, follow):
    write(ledger, 5)
    follow(odd_trackers.Listener(tmp_path)).close(patience=60)
    (tmp_path / "heard").unlink()
    write(ledger, 2)

    outbox = follow(listener := odd_trackers.Listener(tmp_path))

    assert outbox.close(patience=60) == 0
    assert listener.heard == [6, 7]


def test_a_tracker_that_lost_its_memory_hears_everything_again(ledger, tmp_path, follow):
    write(ledger, 3)
    follow(odd_trackers.Keeper(tmp_path)).close(patience=60)
    follow(odd_trackers.Keeper(tmp_path)).close(patience=60)
    kept = (tmp_path / "heard").read_text()
    (tmp_path / "heard").unlink()

    outbox = follow(keeper := odd_trackers.Keeper(tmp_path))

    assert outbox.close(patience=60) == 0
    assert kept == "1\n2\n3\n"
    assert keeper.heard == [1, 2, 3]


def test_a_tracker_that_lacks_a_part_hears_everything_again_when_nobody_holds_the_study(ledger, tmp_path, follow):
    write(ledger, 2)
    follow(odd_trackers.Keeper(tmp_path)).close(patience=60)
    (tmp_path / "lacking").touch()
    lacking, said = follow(odd_trackers.Keeper(tmp_path)), []
    listening.drain(lacking, "tiny", said.append)

    outbox = follow(keeper := odd_trackers.Keeper(tmp_path), over=True)

    assert said == ["warning: MLflow has not taken all of tiny: a file\n  once that is mended: hpsearch sync tiny"]
    assert (outbox.close(patience=60), outbox.lacks) == (0, "")
    assert keeper.heard == [1, 2, 1, 2, 3]  # the last is the end of a session that wrote none
    assert outbox.sent == 2


def test_what_was_heard_in_one_place_was_not_heard_in_another(ledger, tmp_path, follow):
    for number, place in enumerate(("here", "here", "elsewhere", "here")):
        write(ledger, number)
        outbox = follow(listener := odd_trackers.Listener(tmp_path, place))
        assert outbox.close(patience=60) == 0

    assert listener.heard == [1, 1, 2, 3, 1, 2, 3, 4, 5, 6]


def test_closing_does_not_wait_longer_than_asked_and_leaves_no_process(ledger, tmp_path, follow):
    (tmp_path / "away").touch()
    write(ledger, 1)
    outbox = follow(odd_trackers.Listener(tmp_path))
    began = time.monotonic()

    outbox.close(patience=0.5)

    assert time.monotonic() - began < 5
    assert not outbox._process.is_alive()


def test_one_may_ask_again_and_again_whether_a_tracker_has_heard_everything(ledger, tmp_path, follow):
    (tmp_path / "away").touch()
    write(ledger, 1)
    outbox = follow(listener := odd_trackers.Listener(tmp_path))

    waiting = {outbox.drain(patience=0.001) for _ in range(600)}  # more words than the line to the process holds

    assert waiting == {1}
    (tmp_path / "away").unlink()
    assert outbox.close(patience=60) == 0
    assert listener.heard == [1]


def test_a_tracker_that_can_write_much_at_once_is_given_much_at_once(ledger, tmp_path, follow):
    write(ledger, BATCH + 3)

    outbox = follow(batcher := odd_trackers.Batcher(tmp_path))

    assert outbox.close(patience=60) == 0
    assert batcher.batches == [f"1-{BATCH}", f"{BATCH + 1}-{BATCH + 3}"]


def test_a_batch_that_was_lost_is_told_again_whole(ledger, tmp_path, follow):
    write(ledger, 3)
    for number in range(2):
        (tmp_path / f"loss{number}").touch()

    outbox = follow(batcher := odd_trackers.Batcher(tmp_path))

    assert outbox.close(patience=60) == 0
    assert batcher.batches == ["1-3"]


def test_after_a_failed_try_batches_are_small_and_grow(ledger, tmp_path, follow):
    write(ledger, 60)
    (tmp_path / "loss").touch()

    outbox = follow(batcher := odd_trackers.Batcher(tmp_path))

    assert outbox.close(patience=60) == 0
    assert batcher.batches == ["1-16", "17-48", "49-60"]
    assert outbox.trouble == ""


def test_a_tracker_whose_process_is_killed_is_begun_again_and_hears_everything(ledger, tmp_path, follow):
    write(ledger, 5)

    outbox = follow(listener := odd_trackers.Mortal(tmp_path))

    assert outbox.close(patience=60) == 0
    assert listener.heard[-3:] == [3, 4, 5]
    assert set(listener.heard) == {1, 2, 3, 4, 5}


def test_what_a_tracker_wants_called_is_called_and_answered_even_by_an_error(ledger, tmp_path, follow):
    write(ledger, 3)

    outbox = follow(odd_trackers.Asking(tmp_path), call=lambda function, *given: function(*given))

    assert outbox.close(patience=60) == 0
    assert odd_trackers.read(tmp_path / "answers") == ["-12.0", "division by zero", "12.0"]


def test_a_tracker_has_a_process_group_of_its_own_without_tensorflow(ledger, tmp_path, follow):
    write(ledger, 1)

    follow(odd_trackers.SigningIn(tmp_path)).close(patience=60)

    own, group, known = odd_trackers.read(tmp_path / "signed")[0].split(maxsplit=2)
    assert own == group != str(os.getpid())
    assert known == "[]"


@pytest.mark.promise("8")
def test_a_tracker_dies_with_its_coordinator(ledger, tmp_path):
    write(ledger, 1)
    coordinator = os.fork()
    if coordinator == 0:
        Outbox(tmp_path / "ledger.db", tmp_path / "cursor", odd_trackers.SigningIn(tmp_path)).start()
        time.sleep(300)
    try:
        wait_until((tmp_path / "signed").exists)
        tracker = psutil.Process(int(odd_trackers.read(tmp_path / "signed")[0].split()[0]))
    finally:
        os.kill(coordinator, signal.SIGKILL)
        os.waitpid(coordinator, 0)

    gone, _ = psutil.wait_procs([tracker], timeout=5)

    assert gone
