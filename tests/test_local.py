"""The local executor: real processes, each in charge of one attempt, whatever happens to it."""

import time
from pathlib import Path

import odd_jobs
import psutil
import pytest

from hpsearch.executors.capacity import cores, workers
from hpsearch.executors.local import Local
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


@pytest.mark.promise("20", "21")
@pytest.mark.parametrize(
    ("work", "kind", "words"),
    [
        (odd_jobs.crashed, "signal 11 (SIGSEGV)", "its process crashed"),
        (odd_jobs.aborted, "signal 6 (SIGABRT)", "its process crashed"),
        (odd_jobs.gone, "exit", "exit code 7 without a result"),
        (odd_jobs.left, "exit", "exit code 3 without a result"),
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
