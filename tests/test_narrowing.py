from typing import Any

import pytest

from hpsearch.errors import ExperimentRefused
from hpsearch.narrowing import narrow, never_asked
from hpsearch.space import Bounds, Parameter, searched_batch_size

UNITS = Parameter("units", "int", 96, low=32, high=512, step=32)
RATE = Parameter("rate", "float", 1e-3, low=1e-4, high=1e-1, sampling="log")
ACTIVATION = Parameter("activation", "choice", "relu", choices=("relu", "elu", "tanh"))
L2 = Parameter("l2", "choice", 0.0, choices=(0.0, 1e-5, 1e-4), ordered=True)
NORM = Parameter("norm", "boolean", False, choices=(False, True))


def refusal(parameter: Parameter, wish: Any) -> str:
    with pytest.raises(ExperimentRefused) as caught:
        narrow(parameter, {parameter.name: wish})
    return str(caught.value)


def test_a_parameter_that_the_space_does_not_name_stays_as_it_is() -> None:
    assert narrow(UNITS, {"other": 3}) is UNITS


def test_a_list_leaves_those_choices_in_its_own_order_and_the_default_moves_inside() -> None:
    narrowed = narrow(ACTIVATION, {"activation": ["tanh", "elu"]})

    assert (narrowed.kind, narrowed.choices, narrowed.default) == ("choice", ("tanh", "elu"), "tanh")


def test_a_default_that_is_still_inside_stays() -> None:
    assert narrow(ACTIVATION, {"activation": ["elu", "relu"]}).default == "relu"


def test_a_list_for_a_number_is_a_choice_of_numbers_of_its_kind() -> None:
    narrowed = narrow(RATE, {"rate": [1, 0.001]})

    assert (narrowed.kind, narrowed.choices, narrowed.default) == ("choice", (0.001, 1.0), 0.001)
    assert [type(choice) for choice in narrowed.choices] == [float, float]
    assert narrowed.low is None
    assert narrowed.ordered


@pytest.mark.parametrize(
    ("parameter", "wish", "choices"),
    [
        (UNITS, [256, 32, 128], (32, 128, 256)),
        (L2, [1e-4, 0.0], (0.0, 1e-4)),
        (searched_batch_size((128, 32, 64)), [64, 32], (32, 64)),
        (searched_batch_size((128, 32, 64)), [128, 64, 32], (32, 64, 128)),
    ],
)
def test_a_list_of_numbers_is_in_their_order_however_it_is_written(
    parameter: Parameter, wish: Any, choices: tuple[float, ...]
) -> None:
    assert narrow(parameter, {parameter.name: wish}).choices == choices


def test_a_choice_of_decimal_numbers_takes_a_whole_number_as_its_equal() -> None:
    assert narrow(L2, {"l2": [0, 1e-4]}).choices == (0.0, 1e-4)


def test_a_list_of_one_truth_value_fixes_it() -> None:
    narrowed = narrow(NORM, {"norm": [True]})

    assert (narrowed.kind, narrowed.default) == ("fixed", True)


def test_a_plain_value_fixes_a_parameter() -> None:
    narrowed = narrow(UNITS, {"units": 100.0})

    assert (narrowed.kind, narrowed.default, type(narrowed.default)) == ("fixed", 100, int)
    assert narrow(NORM, {"norm": True}).default is True


def test_a_range_bounds_a_number_and_puts_its_default_on_the_new_grid() -> None:
    narrowed = narrow(UNITS, {"units": Bounds(min=64, max=500, step=64)})

    assert (narrowed.low, narrowed.high, narrowed.step, narrowed.default) == (64, 500, 64, 64)


@pytest.mark.parametrize(("low", "high", "default"), [(128, 1024, 128), (8, 40, 40), (8, 2048, 104)])
def test_a_range_may_widen_and_keeps_the_step(low: int, high: int, default: int) -> None:
    narrowed = narrow(UNITS, {"units": Bounds(min=low, max=high)})

    assert (narrowed.low, narrowed.high, narrowed.step) == (low, high, 32)
    assert narrowed.default == default


def test_a_default_on_a_grid_of_decimals_has_no_binary_tail() -> None:
    dropout = Parameter("dropout", "float", 0.3, low=0.0, high=1.0)

    assert narrow(dropout, {"dropout": Bounds(min=0, max=0.5, step=0.1)}).default == 0.3


def test_a_logarithmic_step_is_a_factor() -> None:
    narrowed = narrow(RATE, {"rate": Bounds(min=0.001, max=0.5, step=10)})

    assert (narrowed.default, narrowed.sampling) == (0.001, "log")
    assert narrow(UNITS, {"units": Bounds(min=16, max=256, step=2, sampling="log")}).default == 128


def test_another_sampling_forgets_the_old_step() -> None:
    narrowed = narrow(UNITS, {"units": Bounds(min=16, max=256, sampling="log")})

    assert narrowed.step is None
    assert narrow(narrowed, {"units": Bounds(min=16, max=256, sampling="linear")}).step == 1


def test_conditions_are_kept() -> None:
    from hpsearch.space import Condition

    conditional = Parameter("units_1", "int", 4, low=1, high=9, conditions=(Condition("layers", (2, 3)),))

    assert narrow(conditional, {"units_1": [1, 2]}).conditions == conditional.conditions
    assert narrow(conditional, {"units_1": 3}).conditions == conditional.conditions


def test_a_choice_that_is_not_there_is_refused_with_the_nearest() -> None:
    text = refusal(ACTIVATION, ["relu", "thanh"])

    assert "space.activation" in text
    assert "did you mean 'tanh'?" in text


@pytest.mark.parametrize(
    ("parameter", "wish", "says"),
    [
        (ACTIVATION, Bounds(min=1, max=2), "give a list out of 'relu', 'elu', 'tanh'"),
        (ACTIVATION, [], "empty"),
        (ACTIVATION, "gelu", "none of its choices"),
        (UNITS, Bounds(min=9, max=3), "min 9 is above max 3"),
        (UNITS, Bounds(min=9.5, max=30), "9.5 is not a whole number"),
        (UNITS, Bounds(min=9, max=30, step=0), "step 0 leads nowhere"),
        (UNITS, "many", "'many' is not a number"),
        (UNITS, True, "true is not a number"),
        (RATE, Bounds(min=0, max=1), "log sampling cannot begin at 0.0"),
        (RATE, Bounds(min=1, max=9, step=1), "step 1 leads nowhere"),
        *((UNITS, wish, "64 bits") for wish in (2**63, [1, -(10**400)], Bounds(min=1, max=2**63))),
        *((RATE, wish, "64 bits") for wish in (10**400, Bounds(min=1e-320, max=1e308, step=0.1, sampling="linear"))),
        (NORM, 1, "1 is none of its choices\n  known: false, true"),
        (NORM, "true", "'true' is none of its choices\n  did you mean true? known: false, true"),
        (NORM, "True", "'True' is none of its choices\n  did you mean true?"),
        (searched_batch_size((32, 64)), "32", "'32' is none of its choices\n  did you mean 32? known: 32, 64"),
        (Parameter("kernel", "choice", "3", choices=("3", "5")), 3, "3 is none of its choices\n  did you mean '3'?"),
        *(
            (Parameter("depth", "fixed", 3), wish, "build_model fixes it to 3")
            for wish in (4, [4, 5], Bounds(min=4, max=9))
        ),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused(parameter: Parameter, wish: Any, says: str) -> None:
    assert says in refusal(parameter, wish)


@pytest.mark.parametrize("wish", [3, [3, 5], Bounds(min=1, max=9)])
def test_what_one_branch_fixes_may_be_among_what_is_wished_of_the_others(wish: Any) -> None:
    fixed = Parameter("depth", "fixed", 3)

    assert narrow(fixed, {"depth": wish}) == fixed


def test_names_that_no_sample_build_asked_for_may_be_mistakes_with_the_nearest_known_name() -> None:
    mistakes = never_asked({"unit": 3, "rate": 0.1}, [UNITS, RATE, RATE])

    assert [mistake.where for mistake in mistakes] == ["space.unit"]
    assert mistakes[0].what == "no sample build asked for 'unit' (a rare branch may)"
    assert mistakes[0].mend == "did you mean 'units'? known: units, rate"
