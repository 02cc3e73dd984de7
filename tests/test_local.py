"""The local executor: real processes, each in charge of one attempt, whatever happens to it."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

import odd_jobs
import psutil
import pytest

from hpsearch.executors.capacity import workers
from hpsearch.executors.ear import LARGEST_BYTES, Ear, TooLong
from hpsearch.executors.local import Local
from hpsearch.machine import cores
from hpsearch.orders import Order, Question
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Measure


@pytest.fixture
def local():
    made = []

    def local(work, count=2, recipe=3):
        executor = Local(count, work)
        made.append(executor)
        executor.start()
        executor.open(recipe)
        return executor

    yield local
    for executor in made:
        executor.close()


def order(number=0, **values):
    return Order(Attempt(Fit(number, 1)), Path("split.npz"), values)


def hear(executor, until=AttemptEnd, answer=0.25, patience=30.0):
    heard, end = [], time.monotonic() + patience
    while time.monotonic() < end:
        for event in executor.events(0.2):
            heard.append(event)
            if isinstance(event, Question):
                executor.answer(event.attempt, answer)
            if isinstance(event, until):
                return heard
    pytest.fail(f"nothing came but {heard}")


def test_a_worker_asks_measures_and_ends(local):
    executor = local(odd_jobs.honest)

    executor.submit(order())

    kinds = [type(event).__name__ for event in hear(executor)]
    assert kinds == ["Question", "Built", "Measure", "Measure", "Measure", "AttemptEnd"]


def test_as_many_attempts_run_at_once_as_there_are_hands(local):
    executor = local(odd_jobs.honest, count=2, recipe=20)

    executor.submit(order(0, x=0.1))
    executor.submit(order(1, x=0.2))

    assert executor.free() == 0
    heard = hear(executor)
    assert {event.attempt.fit.trial for event in heard if isinstance(event, Measure)} == {0, 1}


@pytest.mark.promise("19")
def test_a_worker_that_somebody_kills_ends_its_attempt_as_lost(local):
    executor = local(odd_jobs.killed, count=1)

    executor.submit(order())

    end = hear(executor)[-1]
    assert (end.how, end.failure) == (How.LOST, None)
    assert "SIGKILL" in end.reason
    assert executor.free() == 1


@pytest.mark.promise("10", "19")
def test_killing_what_workers_are_forked_from_costs_one_attempt_at_most(local):
    executor = local(odd_jobs.honest, count=1, recipe=50)
    executor.submit(order(0))
    hear(executor, until=Measure)
    executor.events(0.0)  # by now another waits

    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)

    end = hear(executor)[-1]
    assert end.how is How.LOST
    assert end.reason == "was lost with the process it was forked from, which was killed by SIGKILL (out of memory?)"
    executor.submit(Order(Attempt(Fit(0, 1), 2), Path("split.npz"), {}))
    assert hear(executor)[-1].how is How.FINISHED


@pytest.mark.promise("19")
def test_who_clears_temporary_files_away_costs_one_attempt_at_most(local):
    executor = local(odd_jobs.honest, count=1)
    executor.submit(order(0))
    hear(executor)

    shutil.rmtree(Path(forkserver._forkserver._forkserver_address).parent)

    ends = []
    for number in range(1, 4):
        executor.submit(order(number))
        ends.append(hear(executor)[-1].how)
    assert ends.count(How.LOST) <= 1
    assert ends[-1] is How.FINISHED


@pytest.mark.promise("15")
def test_a_sigterm_to_every_process_of_a_job_leaves_it_to_the_coordinator_what_ends(local):
    executor = local(odd_jobs.honest, count=1, recipe=50)
    executor.submit(order(0))
    hear(executor, until=Measure)
    server = forkserver._forkserver._forkserver_pid

    os.kill(server, signal.SIGTERM)

    assert hear(executor)[-1].how is How.FINISHED
    executor.submit(order(1))
    assert hear(executor)[-1].how is How.FINISHED
    assert forkserver._forkserver._forkserver_pid == server


@pytest.mark.promise("5", "19")
def test_a_worker_that_is_killed_in_the_middle_of_a_message_holds_nobody_up(local):
    executor = local(odd_jobs.half, count=1, recipe="killed")

    executor.submit(order())

    (end,) = hear(executor)
    assert (end.how, end.failure) == (How.LOST, None)


@pytest.mark.promise("16")
def test_a_worker_that_is_paused_in_the_middle_of_a_message_says_the_rest_later(local):
    executor = local(odd_jobs.half, count=1, recipe="paused")
    executor.submit(order(0))
    process = paused_child()

    began = time.monotonic()
    assert list(executor.events(0.2)) == []
    assert time.monotonic() - began < 2
    process.send_signal(signal.SIGCONT)

    measure, end = hear(executor)
    assert len(measure.metrics) == 9_000
    assert (end.how, end.score) == (How.FINISHED, 0.5)


def paused_child():
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.status() == psutil.STATUS_STOPPED:
                    return child
        time.sleep(0.02)
    pytest.fail("no process was paused")


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 300_000, LARGEST_BYTES])
def test_messages_are_heard_as_multiprocessing_sends_them(size):
    here, there = multiprocessing.Pipe()
    ear, said = Ear(here), bytes(size)

    assert ear.hear() is None
    sender = threading.Thread(target=lambda: (there.send_bytes(said), there.send_bytes(b"next"), there.close()))
    sender.start()
    heard = []
    while len(heard) < 2:
        here.poll(None)
        heard += [message for message in [ear.hear()] if message is not None]
    sender.join()

    assert heard == [said, b"next"]
    with pytest.raises(EOFError):
        ear.hear()


@pytest.mark.parametrize("claim", [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", (LARGEST_BYTES + 1).to_bytes(4, "big")])
def test_a_message_that_claims_to_be_enormous_is_not_waited_for(claim):
    here, there = multiprocessing.Pipe()
    os.write(there.fileno(), claim)

    with pytest.raises(TooLong, match="more than 16777216 bytes"):
        Ear(here).hear()


@pytest.mark.promise("20", "21")
@pytest.mark.parametrize(
    ("work", "kind", "words"),
    [
        (odd_jobs.crashed, "signal 11 (SIGSEGV)", "its process crashed"),
        (odd_jobs.aborted, "signal 6 (SIGABRT)", "its process crashed"),
        (odd_jobs.gone, "exit", "exit code 7 without a result"),
        (odd_jobs.left, "exit", "exit code 3 without a result"),
        (odd_jobs.gone_by_minus_one, "exit", "exit code 255 without a result"),
        (odd_jobs.raised, "exit", "exit code 1 without a result"),
    ],
)
def test_a_worker_that_dies_of_itself_fails_its_attempt(local, work, kind, words):
    executor = local(work, count=1)

    executor.submit(order())

    end = hear(executor)[-1]
    assert (end.how, end.failure.kind, end.failure.message) == (How.FINISHED, kind, words)
    assert executor.free() == 1


def test_a_hand_is_free_again_after_its_worker_died(local):
    executor = local(odd_jobs.killed, count=1)
    executor.submit(order(0))
    hear(executor)

    executor.submit(order(1))

    assert hear(executor)[-1].attempt.fit.trial == 1


def test_a_stop_ends_an_attempt_with_its_reason(local):
    executor = local(odd_jobs.honest, count=1, recipe=10_000)
    executor.submit(order(x=0.5))
    hear(executor, until=Measure)

    executor.stop(Attempt(Fit(0, 1)), "enough")

    end = hear(executor)[-1]
    assert (end.how, end.reason) == (How.INTERRUPTED, "enough")


def test_a_stop_reaches_a_worker_that_waits_for_a_value(local):
    executor = local(odd_jobs.patient, count=1)
    executor.submit(order())
    question = next(event for _ in range(100) for event in executor.events(0.2))

    executor.stop(question.attempt, "enough")

    assert hear(executor)[-1].reason == "enough"


def test_every_attempt_has_a_process_of_its_own(local):
    executor = local(odd_jobs.pid, count=1)
    pids = []

    for number in range(5):
        executor.submit(order(number))
        pids.append(hear(executor)[-1].score)

    assert len(set(pids)) == 5


def test_a_call_for_which_the_process_that_was_ready_has_died_is_made_all_the_same(local):
    executor = local(odd_jobs.honest)
    executor.foresee(os.getpid, bool)
    ready = executor._foreseen[os.getpid]
    ready._process.kill()
    ready._process.join(10)

    assert executor.call(os.getpid) not in {os.getpid(), ready._process.pid}


def test_closing_leaves_no_process_behind(local):
    executor = local(odd_jobs.honest, count=2, recipe=10_000)
    executor.submit(order(0, x=0.1))
    hear(executor, until=Measure)

    executor.close()

    ours = psutil.Process().children()
    workers_left = [
        worker for server in ours for worker in server.children() if worker.status() != psutil.STATUS_ZOMBIE
    ]
    assert workers_left == []


def test_auto_means_no_more_workers_than_cores():
    assert 1 <= workers("auto") <= cores()
    assert workers(7) == 7
