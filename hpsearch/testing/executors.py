"""What every executor must do: subclass ExecutorContract in a module of tests and override the fixture `make`."""

# ruff: noqa: D102, PLR2004 - a test is named by its sentence, and counts are what it says

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import pytest

from hpsearch.errors import HpsearchError
from hpsearch.objective import Objective
from hpsearch.orders import Event, Order, Question, Recipe
from hpsearch.protocols import Executor, Foreseeing
from hpsearch.space import Value
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, How, Measure

Task = Literal["brief", "endless", "deadly"]
Open = Callable[[Task], Executor]
READY = "HPSEARCH_TEST_OF_WHAT_IS_READY"
ANSWER = 0.3125  # a binary fraction, so that a float32 gives it back unchanged
PATIENCE = 90.0  # seconds
BUILD = """
import os, signal, keras

def build(hp):
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dense(3)])
    rate = hp.Float("rate", 0.0, 1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss=loss, metrics=["accuracy"])
    return model

def deadly(hp):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def tiny_recipe(root: Path, task: Task) -> Recipe:
    """A real project of a few files: `rate` is asked for and comes back as the metric learning_rate."""
    labels = np.arange(60) % 3
    (root / "data" / "train").mkdir(parents=True, exist_ok=True)
    np.save(root / "data" / "train" / "images.npy", np.full((60, 4, 4), 50, np.uint8) * labels[:, None, None])
    np.save(root / "data" / "train" / "labels.npy", labels)
    np.savez(root / "split.npz", train=np.arange(45), validation=np.arange(45, 60))
    (root / "contract_space.py").write_text(BUILD)
    build = f"contract_space:{'deadly' if task == 'deadly' else 'build'}"
    epochs = 100_000 if task == "endless" else 3
    objective = Objective("max", "val_accuracy")
    return Recipe(root, build, root / "data", root / "fits", ("a", "b", "c"), objective, epochs, (45,))


def attempt(number: int) -> Attempt:
    """The first try at the fit of a trial."""
    return Attempt(Fit(number, seed=1))


def hear(executor: Executor, enough: Callable[[Sequence[Event]], bool]) -> list[Event]:
    """Listen, answering every question, until what was heard is enough."""
    heard: list[Event] = []
    end = time.monotonic() + PATIENCE
    while not enough(heard):
        assert time.monotonic() < end, f"nothing came but {heard}"
        for event in executor.events(0.2):
            heard.append(event)
            if isinstance(event, Question):
                executor.answer(event.attempt, ANSWER)
    return heard


def first(kind: type[Any]) -> Callable[[Sequence[Event]], bool]:
    """Enough is the first event of this kind."""
    return lambda heard: any(isinstance(event, kind) for event in heard)


def ends(heard: Sequence[Event]) -> list[AttemptEnd]:
    """The ends among what was heard."""
    return [event for event in heard if isinstance(event, AttemptEnd)]


def left_behind(before: set[object]) -> set[object]:
    """The processes and threads that were not there before and still live some seconds later."""
    end = time.monotonic() + 10
    while (left := living() - before) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def living() -> set[object]:
    """Our threads, and the processes below ours; one that ended and was not waited for is none."""
    below = psutil.Process().children(recursive=True)
    return {*threading.enumerate(), *(one for one in below if one.is_running() and one.status() != "zombie")}


def _get_ready() -> None:
    os.environ[READY] = "yes"


def _ready() -> bool:
    return READY in os.environ


def _fail() -> None:
    raise ImportError(READY)


class ExecutorContract:
    """The promises of an executor."""

    apart = True
    """Whether attempts are made in processes of their own, so that one may die alone."""

    @pytest.fixture
    def make(self) -> Callable[[Task], Executor]:
        """Override: what makes a new executor for attempts of this task."""
        raise NotImplementedError

    @pytest.fixture
    def recipe(self, tmp_path: Path) -> Callable[[Task], Any]:
        """What the executor's attempts are made by; override it for one that does other work than fits.

        Each attempt asks for `rate` unless it knows it, measures every epoch with the value among the metrics,
        and ends: after a few epochs (brief), when it is stopped (endless), or with its process (deadly).
        """
        return lambda task: tiny_recipe(tmp_path, task)

    @pytest.fixture
    def opened(self, make: Callable[[Task], Executor], recipe: Callable[[Task], Any]) -> Iterator[Open]:
        """Executors that can be given orders; they are closed at the end."""
        made: list[Executor] = []

        def opened(task: Task) -> Executor:
            made.append(make(task))
            made[-1].start()
            made[-1].open(recipe(task))
            return made[-1]

        yield opened
        for executor in made:
            executor.close()

    @pytest.fixture
    def order(self, tmp_path: Path) -> Callable[..., Order]:
        """An order for a trial, with the values that are known."""
        return lambda number=0, **values: Order(attempt(number), tmp_path / "split.npz", values)

    def test_an_attempt_asks_measures_every_epoch_and_ends_once(
        self, opened: Open, order: Callable[..., Order]
    ) -> None:
        executor = opened("brief")

        executor.submit(order())

        heard = hear(executor, first(AttemptEnd))
        assert [type(event) for event in heard] == [Question, Built, Measure, Measure, Measure, AttemptEnd]
        assert [event.epoch for event in heard if isinstance(event, Measure)] == [1, 2, 3]
        assert {event.attempt for event in heard} == {attempt(0)}
        assert (ends(heard)[0].how, ends(heard)[0].failure) == (How.FINISHED, None)
        assert list(executor.events(0.5)) == []

    @pytest.mark.parametrize("known", [{}, {"rate": ANSWER}])
    def test_a_value_answered_or_known_reaches_the_attempt(
        self, opened: Open, order: Callable[..., Order], known: dict[str, Value]
    ) -> None:
        executor = opened("brief")

        executor.submit(order(**known))

        heard = hear(executor, first(AttemptEnd))
        assert first(Question)(heard) == (not known)
        assert all(ANSWER in event.metrics.values() for event in heard if isinstance(event, Measure))

    def test_free_counts_the_hands_and_each_is_free_again(self, opened: Open, order: Callable[..., Order]) -> None:
        executor = opened("brief")
        hands, counted = executor.free(), []

        for number in range(hands):
            executor.submit(order(number))
            counted.append(executor.free())

        hear(executor, lambda heard: len(ends(heard)) == hands)
        assert hands > 0
        assert counted == list(reversed(range(hands)))
        assert executor.free() == hands

    def test_many_attempts_end_once_each_whether_stopped_or_not(
        self, opened: Open, order: Callable[..., Order]
    ) -> None:
        executor, waiting = opened("brief"), list(range(8))
        ended: list[AttemptEnd] = []

        while len(ended) < 8:
            for _ in range(min(executor.free(), len(waiting))):
                number = waiting.pop(0)
                executor.submit(order(number))
                if number % 3 == 1:
                    executor.stop(attempt(number), "enough", at_once=number % 2 == 0)
            ended += ends(hear(executor, first(AttemptEnd)))

        assert sorted(end.attempt.fit.trial for end in ended) == list(range(8))
        assert {end.how for end in ended if end.attempt.fit.trial % 3 != 1} == {How.FINISHED}
        # One that was to stop at once may be killed where the machine is too busy for it to heed that in time.
        assert How.LOST not in {end.how for end in ended if end.attempt.fit.trial % 2}
        assert list(executor.events(0.5)) == []

    @pytest.mark.parametrize("at_once", [False, True])
    def test_a_stop_interrupts_an_attempt_and_gives_its_reason(
        self, opened: Open, order: Callable[..., Order], *, at_once: bool
    ) -> None:
        executor = opened("endless")
        executor.submit(order())
        hear(executor, first(Measure))

        executor.stop(attempt(0), "enough", at_once=at_once)

        (end,) = ends(hear(executor, first(AttemptEnd)))
        assert (end.how, end.reason, end.failure) == (How.INTERRUPTED, "enough", None)
        assert list(executor.events(0.5)) == []

    def test_a_stop_reaches_an_attempt_that_waits_for_an_answer(
        self, opened: Open, order: Callable[..., Order]
    ) -> None:
        executor = opened("endless")
        executor.submit(order())
        while not first(Question)(list(executor.events(0.2))):
            pass

        executor.stop(attempt(0), "enough")

        (end,) = ends(hear(executor, first(AttemptEnd)))
        assert (end.how, end.reason) == (How.INTERRUPTED, "enough")

    def test_words_for_an_attempt_that_ended_reach_no_other(self, opened: Open, order: Callable[..., Order]) -> None:
        executor = opened("brief")
        executor.submit(order(0))
        hear(executor, first(AttemptEnd))

        executor.submit(order(1))
        executor.answer(attempt(0), 0.75)
        executor.stop(attempt(0), "too late")

        heard = hear(executor, first(AttemptEnd))
        assert (ends(heard)[0].attempt, ends(heard)[0].how) == (attempt(1), How.FINISHED)
        assert all(ANSWER in event.metrics.values() for event in heard if isinstance(event, Measure))

    def test_an_attempt_whose_process_dies_is_lost_once_and_frees_its_hand(
        self, opened: Open, order: Callable[..., Order]
    ) -> None:
        if not self.apart:
            pytest.skip("attempts share this process")
        executor = opened("deadly")
        hands = executor.free()
        ended: list[AttemptEnd] = []

        for number in range(3):
            executor.submit(order(number, rate=ANSWER))
            ended += ends(hear(executor, first(AttemptEnd)))

        assert [(end.attempt, end.how) for end in ended] == [(attempt(number), How.LOST) for number in range(3)]
        assert all("SIGKILL" in end.reason for end in ended)
        assert executor.free() == hands
        assert list(executor.events(0.5)) == []

    def test_where_attempts_are_made_is_said_in_words(self, opened: Open) -> None:
        executor = opened("brief")

        assert isinstance(executor.where, str)

    def test_a_call_gives_back_what_the_function_returns_or_raises(self, opened: Open) -> None:
        executor = opened("brief")

        assert executor.call(math.gcd, 12, 18) == 6
        with pytest.raises(ZeroDivisionError):
            executor.call(divmod, 1, 0)

    def test_a_call_is_made_in_a_process_that_may_die(self, opened: Open) -> None:
        if not self.apart:
            pytest.skip("calls are made in this process")
        executor = opened("brief")

        assert executor.call(os.getpid) != os.getpid()
        with pytest.raises(HpsearchError):
            executor.call(os._exit, 3)

    def test_a_call_that_was_foreseen_is_made_once_where_what_it_needs_was_made_ready(self, opened: Open) -> None:
        executor = opened("brief")
        if not isinstance(executor, Foreseeing):
            pytest.skip("it gets ready for no call")

        executor.foresee(_ready, _get_ready)
        executor.foresee(_ready, _get_ready)

        assert [executor.call(_ready), executor.call(_ready)] == [True, False]

    def test_a_call_that_was_foreseen_is_made_although_getting_ready_failed(self, opened: Open) -> None:
        executor = opened("brief")
        if not isinstance(executor, Foreseeing):
            pytest.skip("it gets ready for no call")

        executor.foresee(math.gcd, _fail)

        assert executor.call(math.gcd, 12, 18) == 6

    @pytest.mark.parametrize("submitted", [False, True])
    def test_closing_leaves_no_process_and_no_thread(
        self, make: Callable[[Task], Executor], opened: Open, order: Callable[..., Order], *, submitted: bool
    ) -> None:
        make("brief").call(math.gcd, 1, 1)  # what all executors share is there now
        before = living()
        executor = opened("endless")
        if submitted:
            executor.submit(order())
            hear(executor, first(Measure))
        if isinstance(executor, Foreseeing):
            executor.foresee(math.gcd, bool)

        executor.close()
        executor.close()

        assert left_behind(before) == set()
