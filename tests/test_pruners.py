"""What each pruner does beyond the contract of its socket."""

import math
from collections import defaultdict
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch import plugins
from hpsearch.errors import ExperimentRefused
from hpsearch.objective import Objective
from hpsearch.protocols import Brief, Pruning
from hpsearch.pruners.asha import ASHA
from hpsearch.pruners.median import Median


def begun(pruner: Any, epochs: int = 30, objective: str = "max val_accuracy") -> Any:
    pruner.begin(Brief(Objective.parse(objective), seed=0, trials=None, epochs=epochs))
    return pruner


def run(pruner: Any, trial: int, scores: list[float]) -> int | None:
    """The epoch at which a trial with these scores is stopped."""
    stops = [epoch for epoch, score in enumerate(scores, 1) if pruner.hear(trial, epoch, score)]
    return stops[0] if stops else None


def test_asha_judges_at_epochs_that_grow_by_the_factor() -> None:
    pruner = begun(ASHA(reduction_factor=3, min_epochs=3))
    for trial in range(3):
        run(pruner, trial, [0.9] * 30)

    stops = {run(pruner, 10 + at, [0.95] * at + [0.1] * (30 - at)) for at in range(30)}
    slump = run(begun(ASHA()), 0, [0.1] * 30)

    assert stops <= {3, 9, 27, None}
    assert slump is None


def test_asha_keeps_the_best_third_that_came_to_a_rung() -> None:
    pruner = begun(ASHA(reduction_factor=3, min_epochs=3), epochs=9)

    stops = [run(pruner, trial, [score] * 9) for trial, score in enumerate([0.1, 0.2, 0.3, 0.2, 0.4, 0.25, 0.5])]

    assert stops == [None, None, None, 3, None, 3, None]


def test_asha_goes_by_the_best_score_and_not_by_the_last() -> None:
    pruner = begun(ASHA(reduction_factor=2, min_epochs=3), epochs=9)
    run(pruner, 0, [0.5, 0.5, 0.5])

    assert run(pruner, 1, [0.9, 0.1, 0.1]) is None


@pytest.mark.parametrize(("epochs", "rung"), [(3, None), (4, 3), (8, 4), (15, 8), (20, 10)])
def test_asha_judges_half_way_unless_told_otherwise(epochs: int, rung: int | None) -> None:
    pruner = begun(ASHA(), epochs=epochs)
    for trial in range(3):
        run(pruner, trial, [0.9] * epochs)

    assert run(pruner, 3, [0.1] * epochs) == rung


def test_asha_has_no_rung_at_the_last_epoch() -> None:
    pruner = begun(ASHA(reduction_factor=2), epochs=3)

    assert [run(pruner, trial, [1 - trial / 10] * 3) for trial in range(5)] == [None] * 5


def test_median_compares_the_best_score_with_running_means() -> None:
    pruner = begun(Median(startup_trials=3, warmup_epochs=3))
    for trial, score in enumerate([0.2, 0.5, 0.8]):
        run(pruner, trial, [score] * 10)

    assert run(pruner, 5, [0.4] * 10) == 4
    assert run(pruner, 6, [0.6] + [0.1] * 9) is None


@pytest.mark.parametrize(("epochs", "stopped_at"), [(3, None), (4, 3)])
def test_median_stops_nobody_at_the_last_epoch(epochs: int, stopped_at: int | None) -> None:
    pruner = begun(Median(startup_trials=1, warmup_epochs=2), epochs=epochs)
    run(pruner, 0, [0.9] * epochs)

    assert run(pruner, 1, [0.1] * epochs) == stopped_at


def test_median_goes_downwards_for_a_loss() -> None:
    pruner = begun(Median(startup_trials=2, warmup_epochs=2), objective="min val_loss")
    run(pruner, 0, [1.0] * 5)
    run(pruner, 1, [1.0] * 5)

    assert run(pruner, 2, [1.5] * 5) == 3
    assert run(pruner, 3, [0.5] * 5) is None


def test_an_epoch_heard_again_replaces_itself() -> None:
    once, twice = begun(Median(startup_trials=1)), begun(Median(startup_trials=1))
    for epoch in range(1, 9):
        once.hear(0, epoch, 0.5)
        twice.hear(0, epoch, 0.9)
        twice.hear(0, epoch, 0.5)

    assert run(once, 1, [0.45] * 8) == run(twice, 1, [0.45] * 8) == 4


@pytest.mark.parametrize(
    ("pruner", "options"),
    [
        ("asha", {"reduction_factor": 1}),
        ("asha", {"min_epochs": 2}),
        ("median", {"startup_trials": 0}),
        ("median", {"warmup_epochs": True}),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_words(pruner: str, options: dict[str, Any]) -> None:
    with pytest.raises(ExperimentRefused, match="whole number"):
        plugins.make("pruners", pruner, options)


@pytest.mark.parametrize(
    ("pruner", "epochs", "trials", "why"),
    [
        (ASHA(min_epochs=8), 8, 20, "it first judges at epoch 8 (min_epochs), which is not before the last of 8"),
        (ASHA(min_epochs=8), 9, 20, ""),
        (ASHA(), 3, 20, "min_epochs"),
        (ASHA(), 9, 2, "it keeps one of 3 trials (reduction_factor), and there are 2"),
        (ASHA(), 9, 3, ""),
        (Median(), 4, 20, "it judges after epoch 3 (warmup_epochs) and before the last, which is 4"),
        (Median(), 5, 20, ""),
        (Median(), 9, 5, "it compares with 5 others (startup_trials), and there are 5 trials in all"),
        (Median(), 9, 6, ""),
    ],
)
def test_a_pruner_foresees_that_it_will_stop_no_trial(pruner: Any, epochs: int, trials: int, why: str) -> None:
    foreseen = pruner.idle(Brief(Objective.parse("max val_accuracy"), seed=0, trials=trials, epochs=epochs))

    stops = [
        run(begun(pruner, epochs) if trial == 0 else pruner, trial, [0.9 - trial / 50] * epochs)
        for trial in range(trials)
    ]

    assert any(stops) == (not foreseen)
    assert why in foreseen


class PlainASHA(ASHA):
    """The rule as it is told, with a look at all trials that came to the rung."""

    def begin(self, brief: Brief) -> None:
        super().begin(brief)
        self._came: defaultdict[int, dict[int, float | None]] = defaultdict(dict)

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        self._curves.hear(trial, epoch, score)
        if epoch not in self._rungs:
            return None
        came = self._came[epoch]
        came[trial] = self._curves.best(trial, epoch)
        if len(came) < self._factor:
            return None
        place = 1 + sum(self._objective.key(other) < self._objective.key(came[trial]) for other in came.values())
        if place <= (kept := len(came) // self._factor) and came[trial] is not None:
            return None
        return Pruning(f"place {place} of {len(came)} at epoch {epoch}, the best {kept} go on")


class PlainMedian(Median):
    """The rule as it is told, with a look at all trials that came to the epoch."""

    def begin(self, brief: Brief) -> None:
        super().begin(brief)
        self._came: defaultdict[int, dict[int, float]] = defaultdict(dict)

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        self._curves.hear(trial, epoch, score)
        came = self._came[epoch]
        if (mean := self._curves.mean(trial, epoch)) is not None:
            came[trial] = mean
        others = [other for number, other in came.items() if number != trial]
        if epoch <= self._warmup or epoch >= self._last or len(others) < self._startup:
            return None
        middle, best = median(others), self._curves.best(trial, epoch)
        if best is not None and not self._objective.better(middle, best):
            return None
        shown = "no number" if best is None else f"{best:.4g}"
        return Pruning(f"best {self._objective.metric} {shown}, median {middle:.4g} at epoch {epoch}")


HEARD = st.tuples(
    st.integers(0, 7),
    st.integers(1, 8),
    st.one_of(st.integers(0, 3).map(float), st.floats(-1e9, 1e9), st.just(math.inf)),
)


@given(st.lists(HEARD, max_size=120), st.sampled_from(["max val_accuracy", "min val_loss"]))
def test_a_trials_place_is_found_in_order_as_with_a_look_at_all_others(
    heard: list[tuple[int, int, float]], objective: str
) -> None:
    """Epochs come in any order, and again and again, as those of folds and of resumed fits do."""
    for quick, plain in ((ASHA(2, 3), PlainASHA(2, 3)), (Median(2, 2), PlainMedian(2, 2))):
        begun(quick, 8, objective)
        begun(plain, 8, objective)

        assert [quick.hear(*one) for one in heard] == [plain.hear(*one) for one in heard]
