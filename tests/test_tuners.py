"""What each tuner does beyond the contract of its socket."""

import dataclasses
import math
import os
import signal
import statistics
import subprocess
import sys
from itertools import product
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from optuna.trial import TrialState

from hpsearch import plugins
from hpsearch.errors import ExperimentRefused
from hpsearch.grid import fits
from hpsearch.protocols import Turn
from hpsearch.space import Condition, Parameter, Values
from hpsearch.testing.tuners import BATCH, BIAS, CONDITIONAL, FLAT, OPTIMIZER, RATE, Bench, brief
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.tuners.axis import axis
from hpsearch.tuners.dimensions import Dimensions, Share
from hpsearch.tuners.recent import BEST
from hpsearch.tuners.via_keras_tuner import Grid, Random
from hpsearch.tuners.via_optuna import TPE
from hpsearch.worker.ending import ChildDied

SHARE = Parameter("share", "float", 0.5, low=0.0, high=1.0)
SAMPLINGS = st.sampled_from(["linear", "log", "reverse_log"])


def bench(tuner: Any, *space: Parameter, seed: int = 7) -> Bench:
    return Bench(tuner, brief(space, seed), lambda _: space)


@st.composite
def numbers(draw: st.DrawFn) -> Parameter:
    sampling, kind = draw(SAMPLINGS), draw(st.sampled_from(["int", "float"]))
    low = draw(st.integers(1, 50) if kind == "int" else st.floats(1e-4, 50))
    high = low + draw(st.integers(0, 500) if kind == "int" else st.floats(0, 500))
    steps = st.integers(2, 9) if kind == "int" or sampling != "linear" else st.floats(0.5, 9)
    return Parameter("x", kind, low, low, high, draw(st.none() | steps), sampling)


@drawn(numbers(), st.floats(0, 1))
def test_every_point_of_an_axis_is_a_value_inside_and_leads_back(parameter: Parameter, share: float) -> None:
    laid = axis(parameter)
    low, high = laid.distribution.low, laid.distribution.high
    whole = isinstance(low, int)

    value = laid.value(low + round((high - low) * share) if whole else min(low + (high - low) * share, high))
    point = laid.point(value)

    assert parameter.contains(value)
    assert point is not None
    assert laid.value(point) == pytest.approx(value)


def test_a_geometric_grid_has_kerastuners_values() -> None:
    parameter = Parameter("units", "int", 16, low=16, high=200, step=2, sampling="log")

    assert [axis(parameter).value(place) for place in range(4)] == [16, 32, 64, 128]
    assert axis(parameter).distribution.high == 3


def test_a_float_grid_reads_like_decimals() -> None:
    parameter = Parameter("dropout", "float", 0.0, low=0.0, high=0.5, step=0.1)

    assert [axis(parameter).value(place) for place in range(6)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert axis(parameter).distribution.high == 5


def test_a_value_with_a_binary_tail_lies_on_its_grid() -> None:
    dropout = axis(Parameter("dropout", "float", 0.2, low=0.0, high=0.3, step=0.1))

    assert dropout.value(dropout.point(3 * 0.1)) == 0.3
    assert dropout.point(0.35) is None


@pytest.mark.parametrize(
    ("parameter", "place"),
    [
        (Parameter("dropout", "float", 0.24, low=0.0, high=0.4, step=0.1), 2),
        (Parameter("units", "int", 100, low=16, high=512, step=2, sampling="log"), 3),
    ],
)
def test_tpe_models_a_default_between_two_steps_beside_what_it_is_compared_with(
    parameter: Parameter, place: int
) -> None:
    made = bench(TPE(), parameter, RATE)

    made.run(1)

    assert made.values[0][parameter.name] == parameter.default
    assert made.tuner._storage.get_trial(0).params == {parameter.name: place, "rate": RATE.default}


@pytest.mark.parametrize("name", ["optuna.tpe", "optuna.random", "keras-tuner.random"])
def test_a_grid_of_a_thousand_million_values_is_not_listed(name: str) -> None:
    rate = Parameter("rate", "float", 0.25, low=0.0, high=1.0, step=1e-9)
    made = bench(plugins.make("tuners", name, {}), rate)

    tried = made.run(12)
    made.tuner.close()

    assert len({one["rate"] for one in tried}) == 12


def test_one_name_with_other_choices_gets_another_name_in_optuna() -> None:
    known, other = Dimensions(), Parameter("optimizer", "choice", "lion", choices=("lion",))

    names = [known.of(one)[0] for one in (OPTIMIZER, other, OPTIMIZER)]

    assert names[0] == names[2] == "optimizer"
    assert names[1] != "optimizer"


def test_choices_in_another_order_are_the_same_dimension_unless_the_order_says_something() -> None:
    known, turned = Dimensions(), dataclasses.replace(OPTIMIZER, choices=OPTIMIZER.choices[::-1])

    assert known.of(turned) == known.of(OPTIMIZER)
    assert known.of(dataclasses.replace(BATCH, choices=BATCH.choices[::-1])) != known.of(BATCH)


def test_a_few_ranges_of_one_name_are_a_dimension_each_whose_points_are_its_values() -> None:
    known = Dimensions()
    ranges = [dataclasses.replace(RATE, low=low, high=1000 * low) for low in (1e-3, 1e-5, 1e-4, 1e-6, 1e-2)]

    laid = [known.of(one) for one in [*ranges, *ranges]]

    assert len({name for name, _ in laid}) == len(ranges)
    assert laid[:5] == laid[5:]
    assert [one for _, one in laid[:5]] == [axis(one) for one in ranges]


def test_ranges_whose_ends_hang_on_another_value_are_one_dimension_but_for_the_first_five() -> None:
    known, whole = Dimensions(), Parameter("rate", "int", 1, low=1, high=4)

    names = [known.of(dataclasses.replace(RATE, high=place / 100))[0] for place in (*range(1, 9), 1)]

    assert names[0] == names[8] == "rate"
    assert len(set(names[:5])) == 5
    assert len(set(names[5:8]) - set(names[:5])) == 1
    assert known.of(whole)[0] not in names


@drawn(numbers(), st.floats(0, 1))
def test_every_share_of_a_range_is_a_value_inside_and_leads_back(parameter: Parameter, share: float) -> None:
    laid = Share(axis(parameter))

    value = laid.value(share)
    point = laid.point(value)

    assert parameter.contains(value)
    assert fits(parameter, value)
    assert point is not None
    assert laid.value(point) == pytest.approx(value)


def test_equal_shares_of_a_range_of_whole_numbers_lead_to_each_of_them() -> None:
    laid = Share(axis(Parameter("units", "int", 16, low=16, high=64, step=16)))

    assert [laid.value((place + 0.5) / 8) for place in range(8)] == [16, 16, 32, 32, 48, 48, 64, 64]


def test_tpe_learns_a_range_that_hangs_on_another_value() -> None:
    def later(name: str, seed: int) -> float:
        made, scores = Bench(plugins.make("tuners", name, {}), brief((), seed), _warmed_down), []
        for _ in range(40):
            number = made.ask()
            values = made.values[number]
            scores.append(math.log10(float(values["end"]) / float(values["rate"])))
            made.tell(number, score=scores[-1])
        return statistics.mean(scores[20:])

    assert all(later("optuna.tpe", seed) > later("optuna.random", seed) + 0.5 for seed in (1, 2, 3))


def _warmed_down(values: Values) -> list[Parameter]:
    return [RATE, Parameter("end", "float", 1e-6, low=1e-6, high=float(values.get("rate", 1.0)), sampling="log")]


def test_tpe_finds_better_points_than_random_search() -> None:
    def best(name: str, seed: int) -> float:
        made = bench(plugins.make("tuners", name, {}), RATE, BATCH, BIAS, seed=seed)
        scores = []
        for _ in range(40):
            number = made.ask()
            values = made.values[number]
            scores.append(-abs(float(values["rate"]) - 0.002) * 100 - (values["batch"] != 64) - bool(values["bias"]))
            made.tell(number, score=scores[-1])
        return statistics.mean(scores[20:])

    assert all(best("optuna.tpe", seed) > best("optuna.random", seed) for seed in (1, 2, 3))


def test_tpe_learns_from_pruned_trials_too() -> None:
    def after(status: Status) -> list[Any]:
        made = bench(TPE(startup_trials=5), RATE)
        for _ in range(8):
            made.tell(made.ask(), status)
        return [made.values[made.ask()] for _ in range(3)]

    assert after(Status.PRUNED) != after(Status.FAILED)


def test_tpe_ranks_pruned_trials_by_their_scores_and_not_by_when_they_were_best() -> None:
    made = bench(TPE(startup_trials=10), SHARE)
    for _ in range(50):
        share = float(made.values[number := made.ask()]["share"])
        trial = Trial(number, dict(made.values[number]))
        made.tuner.tell(TrialResult(trial, Status.PRUNED, share, best_epoch=9 - round(8 * share)))

    assert statistics.mean(float(values["share"]) for values in list(made.values.values())[20:]) > 0.7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"startup_trials": -1}, "whole number"),
        ({"candidates": 0}, "whole number"),
        ({"look_back": 2.5}, "whole number"),
        ({"defaults_first": 1}, "true or false"),
    ],
)
def test_an_option_of_tpe_that_cannot_be_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentRefused, match=words):
        plugins.make("tuners", "optuna.tpe", options)


def test_tpe_begins_with_the_defaults_of_the_build_unless_told_otherwise() -> None:
    defaults = {parameter.name: parameter.default for parameter in (RATE, BATCH, BIAS)}
    usual, told = bench(TPE(), RATE, BATCH, BIAS), bench(TPE(defaults_first=False), RATE, BATCH, BIAS)

    usual.run(2)
    told.run(1)

    assert usual.values[0] == defaults
    assert usual.values[1] != defaults
    assert told.values[0] != defaults


def test_a_default_outside_its_range_is_drawn_anew() -> None:
    made = bench(TPE(), dataclasses.replace(RATE, default=100.0))

    made.run(1)

    assert RATE.contains(made.values[0][RATE.name])


def test_what_tpe_looks_at_is_bounded_however_many_trials_there_were() -> None:
    made = bench(TPE(look_back=20), RATE)

    made.run(300)

    assert len(made.tuner._storage.get_all_trials(0, deepcopy=False)) <= 20 + BEST


def test_trials_that_tpe_will_not_look_at_again_keep_their_numbers_alone() -> None:
    made = bench(TPE(look_back=20), RATE)

    made.run(300)

    held = made.tuner._storage.get_all_trials(0)
    told = {number for number, trial in enumerate(held) if trial.params and trial.state != TrialState.FAIL}
    assert len(held) == 300
    assert told == {trial.number for trial in made.tuner._storage.get_all_trials(0, deepcopy=False)}


def test_tpe_may_begin_with_more_random_trials_than_it_looks_back_at() -> None:
    def last(startup: int) -> list[Values]:
        made = bench(TPE(startup_trials=startup, look_back=4), RATE, BIAS)
        for _ in range(12):
            made.tell(made.ask(), Status.PRUNED)  # the best that are shown beside the latest are completed ones
        return made.run(4)[10:]

    begun, random = last(12), last(100)

    assert begun[:2] == random[:2]
    assert all(one != other for one, other in zip(begun[2:], random[2:], strict=True))


def test_a_restored_study_of_optuna_holds_what_the_live_one_held() -> None:
    made = bench(TPE(startup_trials=500), *CONDITIONAL)
    made.run(30)
    in_flight = made.begin()
    restored = TPE(startup_trials=500)

    restored.begin(dataclasses.replace(brief(CONDITIONAL), history=tuple(made.history)))

    def held(tuner: TPE) -> list[Any]:
        trials = tuner._storage.get_all_trials(0)
        return [(one.number, one.state, one.params, one.distributions, one.values) for one in trials]

    assert len(held(restored)) == in_flight + 1
    assert held(restored) == held(made.tuner)


def test_a_grid_hands_out_every_combination_once_in_its_order_to_as_many_hands_as_there_are() -> None:
    layers = Parameter("layers", "int", 1, low=1, high=3)
    made, alone = bench(Grid(), OPTIMIZER, layers, BIAS), bench(Grid(), OPTIMIZER, layers, BIAS)

    given_out = [made.ask() for _ in range(12)]
    waits = made.ask()
    for number in range(12):
        made.tell(number)
    ends = made.ask()
    tried = alone.run(50)
    for one in (made, alone):
        one.tuner.close()

    assert (given_out, waits, ends) == (list(range(12)), Turn.WAIT, Turn.DONE)
    assert list(made.values.values()) == tried
    assert sorted(map(str, tried)) == sorted(
        str({"optimizer": name, "layers": count, "bias": bias})
        for name, count, bias in product(("sgd", "adam"), (1, 2, 3), (True, False))
    )


@pytest.mark.parametrize("make", [Grid, Random])
@pytest.mark.parametrize(
    ("low", "high", "step", "values"),
    [
        (0.0, 0.5, 0.1, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (0.1, 0.7, 0.2, [0.1, 0.3, 0.5, 0.7]),
        (-0.3, 0.1, 0.1, [-0.3, -0.2, -0.1, 0.0, 0.1]),
    ],
)
def test_kerastuners_oracles_try_both_ends_of_decimals_and_write_them_as_a_person_does(
    make: Any, low: float, high: float, step: float, values: list[float]
) -> None:
    made = bench(make(), Parameter("x", "float", values[-2], low=low, high=high, step=step))

    tried = made.run(50)
    made.tuner.close()

    assert sorted(float(one["x"]) for one in tried) == values


@pytest.mark.parametrize("make", [Grid, Random])
def test_a_name_with_another_grid_under_another_condition_has_each_value_once_there(make: Any) -> None:
    kind = Parameter("kind", "choice", "a", choices=("a", "b"))
    coarse = Parameter("units", "int", 10, low=10, high=100, step=30, conditions=(Condition("kind", ("a",)),))
    fine = Parameter("units", "int", 16, low=16, high=64, step=16, conditions=(Condition("kind", ("b",)),))
    made, again = bench(make(), kind, coarse, fine), bench(make(), kind, coarse, fine)

    tried = made.run(50)
    same = again.run(50)
    for one in (made, again):
        one.tuner.close()

    points = [*product("a", (10, 40, 70, 100)), *product("b", (16, 32, 48, 64))]
    assert sorted((one["kind"], one["units"]) for one in tried) == points
    assert same == tried


FIVE = Parameter("kind", "choice", "a", choices=("a", "b", "c", "d", "e"))


def given(made: Bench, value: str) -> None:
    """Have the trial that was asked for last take this value."""
    number = len(made.values) - 1
    made.tuner.note(number, FIVE, value)
    made.values[number]["kind"] = value


def planned(count: int) -> list[str]:
    """What the first trials, none of which has ended, are planned with."""
    scout = bench(Random(), FIVE)
    values = [scout.values[scout.ask()]["kind"] for _ in range(count)]
    scout.tuner.close()
    return values


def test_points_that_were_given_count_as_tried_and_those_in_their_place_do_not() -> None:
    made, own = bench(Random(), FIVE), planned(1)

    made.begin()
    given(made, next(choice for choice in FIVE.choices if choice not in own))
    made.tell(0)
    tried = made.run(20)
    made.tuner.close()

    assert sorted(one["kind"] for one in tried) == ["a", "b", "c", "d", "e"]


def test_a_point_that_was_given_counts_as_tried_though_another_trial_was_planned_with_it() -> None:
    made, own = bench(Random(), FIVE), planned(2)

    made.begin()
    given(made, own[1])
    made.begin()
    given(made, next(choice for choice in FIVE.choices if choice not in own))
    made.tell(0)
    made.tell(1)
    tried = made.run(20)
    made.tuner.close()

    assert sorted(one["kind"] for one in tried) == ["a", "b", "c", "d", "e"]


def test_a_grid_goes_on_from_a_trial_that_began_before_another_one_met_a_new_name() -> None:
    kind = Parameter("kind", "choice", "a", choices=("a", "b"))
    wide, deep = (Parameter(name, "int", 1, low=1, high=2, step=1) for name in ("wide", "deep"))
    made = Bench(Grid(), brief((kind,)), lambda values: [kind, wide if values.get("kind") == "a" else deep])
    both = made.begin(), made.begin()
    for number in both:
        made.build(number)
    made.tell(0)

    made.ask()
    made.tuner.close()

    assert len(made.values) == 3


def test_a_grid_begins_inside_a_range_that_does_not_hold_its_default() -> None:
    made = bench(Grid(), dataclasses.replace(BATCH, kind="int", choices=(), default=512, low=64, high=128, step=64))

    tried = made.run(9)
    made.tuner.close()

    assert [one["batch"] for one in tried] == [64, 128]


def test_a_grid_skips_what_its_conditions_exclude() -> None:
    nesterov = CONDITIONAL[2]
    made = bench(Grid(), OPTIMIZER, nesterov)

    tried = made.run(50)
    made.tuner.close()

    assert len(tried) == 3
    assert {"optimizer": "adam"} in tried


def test_choices_between_true_and_false_stay_booleans() -> None:
    flag = Parameter("flag", "choice", default=True, choices=(True, False))
    made = bench(Random(), flag, OPTIMIZER)

    tried = made.run(9)
    made.tuner.close()

    assert {type(values["flag"]) for values in tried} == {bool}
    assert len({tuple(values.values()) for values in tried}) == len(tried)


def test_one_name_under_two_conditions_keeps_both_ranges() -> None:
    slow = Parameter("rate", "float", 1.0, low=0.5, high=1.0, conditions=(Condition("optimizer", ("sgd",)),))
    fast = Parameter("rate", "float", 0.1, low=0.01, high=0.1, conditions=(Condition("optimizer", ("adam",)),))
    made = bench(Random(), OPTIMIZER, slow, fast)

    tried = made.run(12)
    made.tuner.close()

    assert {(values["optimizer"], float(values["rate"]) >= 0.5) for values in tried} == {("sgd", True), ("adam", False)}


def test_a_dead_oracle_is_an_error_and_not_a_wait() -> None:
    made = bench(Random(), *FLAT)
    made.run(1)

    os.kill(made.tuner._process.pid, signal.SIGKILL)

    with pytest.raises(ChildDied, match="SIGKILL"):
        made.ask()
    made.tuner.close()


def test_the_coordinator_imports_no_tensorflow_for_kerastuners_oracles() -> None:
    program = """
import sys
from hpsearch import plugins
from hpsearch.testing.tuners import brief
if __name__ == "__main__":
    tuner = plugins.make("tuners", "keras-tuner.random", {})
    tuner.begin(brief())
    print(tuner.ask(0).number, {"tensorflow", "keras", "keras_tuner", "optuna"} & set(sys.modules))
    tuner.close()
"""

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)

    assert said.stdout.split("\n")[0] == "0 set()"
    assert said.stderr == ""
