"""What every pruner must do: subclass PrunerContract in a module of tests and override the fixture `make`."""

# ruff: noqa: D102, PLR2004 - a test is named by its sentence, and counts are what it says

import math
import random
from collections.abc import Callable

import pytest

from hpsearch.objective import Goal, Objective
from hpsearch.protocols import Brief, Pruner, Pruning

Heard = tuple[int, int, float]
EPOCHS = 30


def curves(count: int = 30, seed: int = 3, *, falling: bool = False) -> list[Heard]:
    """Scores of trials that run three at a time, as a search hears them: better and worse learners."""
    chance, heard = random.Random(seed), []  # noqa: S311 - numbers for a test
    ceilings = [chance.uniform(0.3, 1.0) for _ in range(count)]
    for first in range(0, count, 3):
        for epoch in range(1, EPOCHS + 1):
            for trial in range(first, min(first + 3, count)):
                score = ceilings[trial] * (1 - math.exp(-epoch / 5)) + chance.gauss(0, 0.01)
                heard.append((trial, epoch, 1 - score if falling else score))
    return heard


def listen(pruner: Pruner, heard: list[Heard], stopped: set[int] | None = None) -> dict[int, int]:
    """Let a pruner hear the scores of trials that were not stopped; give back who was stopped at which epoch."""
    ends: dict[int, int] = {}
    for trial, epoch, score in heard:
        if trial in ends or (stopped and trial in stopped):
            continue
        if isinstance(pruner.hear(trial, epoch, score), Pruning):
            ends[trial] = epoch
    return ends


class PrunerContract:
    """The promises of a pruner."""

    prunes = True
    """Whether it ever stops a trial."""

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        """Override: what makes a new pruner."""
        raise NotImplementedError

    def begun(self, make: Callable[[], Pruner], goal: Goal = "max") -> Pruner:
        """A new pruner that took in its brief."""
        pruner = make()
        pruner.begin(Brief(Objective(goal, "val_accuracy"), seed=1, trials=30, epochs=EPOCHS))
        return pruner

    @pytest.mark.parametrize("goal", ["max", "min"])
    def test_losers_are_stopped_and_the_best_trial_is_not(self, make: Callable[[], Pruner], goal: Goal) -> None:
        heard = curves(falling=goal == "min")

        ends = listen(self.begun(make, goal), heard)

        best = Objective(goal, "val_accuracy")
        first = min((item for item in heard if item[1] == EPOCHS), key=lambda item: best.key(item[2]))[0]
        assert bool(ends) == self.prunes
        assert first not in ends

    def test_a_replayed_pruner_stops_the_same_trials(self, make: Callable[[], Pruner]) -> None:
        heard = curves()
        half = len(heard) // 2

        straight, replayed = self.begun(make), self.begun(make)
        early = listen(straight, heard[:half])
        assert listen(replayed, heard[:half]) == early

        late = listen(straight, heard[half:], set(early))
        assert listen(replayed, heard[half:], set(early)) == late

    def test_nothing_is_stopped_before_the_third_epoch(self, make: Callable[[], Pruner]) -> None:
        ends = listen(self.begun(make), curves(60))

        assert all(epoch >= 3 for epoch in ends.values())

    def test_the_first_trial_is_never_stopped(self, make: Callable[[], Pruner]) -> None:
        ends = listen(self.begun(make), [(0, epoch, 0.1) for epoch in range(1, EPOCHS + 1)])

        assert not ends

    def test_a_reason_is_given_in_words(self, make: Callable[[], Pruner]) -> None:
        pruner = self.begun(make)

        said = [pruner.hear(*item) for item in curves()]

        assert all(len(pruning.reason.split()) > 2 for pruning in said if pruning)

    @pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
    def test_scores_that_are_no_numbers_do_no_harm(self, make: Callable[[], Pruner], score: float) -> None:
        pruner = self.begun(make)
        listen(pruner, curves(9))

        ends = listen(pruner, [(99, epoch, score) for epoch in range(1, EPOCHS + 1)])

        assert bool(ends) == self.prunes

    def test_an_epoch_may_be_heard_again(self, make: Callable[[], Pruner]) -> None:
        pruner = self.begun(make)

        for _ in range(3):
            listen(pruner, curves(3))

        assert pruner.hear(0, EPOCHS, 0.99) is None
