from typing import Any

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.space import Condition, Parameter, Value
from hpsearch.worker.hp import AskingHyperParameters, Decimals, to_keras_tuner, to_parameter
from hpsearch.worker.task import Task

words = st.text("abcxyz", min_size=1, max_size=4)
numbers = st.floats(1e-3, 1e3, allow_nan=False)
values = st.one_of(
    st.lists(words, min_size=1, max_size=4, unique=True),
    st.lists(st.integers(-5, 5), min_size=1, max_size=4, unique=True),
    st.lists(numbers, min_size=1, max_size=4, unique=True),
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """One call of an hp method: its name and keyword arguments."""
    kind = draw(st.sampled_from(["Int", "Float", "Choice", "Boolean", "Fixed"]))
    if kind in {"Int", "Float"}:
        low, high = sorted(draw(st.tuples(*[st.integers(1, 99) if kind == "Int" else numbers] * 2)))
        return kind, {
            "min_value": low,
            "max_value": high,
            "step": draw(st.sampled_from([None, 2, 3])),
            "sampling": draw(st.sampled_from(["linear", "log", "reverse_log"])),
            "default": draw(st.sampled_from([None, low, high])),
        }
    if kind == "Choice":
        choices = draw(values)
        return kind, {"values": choices, "default": draw(st.sampled_from([None, *choices]))}
    if kind == "Boolean":
        return kind, {"default": draw(st.booleans())}
    return kind, {"value": draw(st.one_of(words, st.booleans(), st.integers(-9, 9), numbers))}


programs = st.lists(st.tuples(words, questions(), st.booleans()), max_size=6)


def build(hp: Any, program: list[Any]) -> list[Any]:
    """Ask everything in the program: half of it under a scope that may be inactive, one name perhaps twice."""
    mode = hp.Choice("mode", ["on", "off"])
    with hp.name_scope("outer"):
        answers = [getattr(hp, kind)(name, **options) for name, (kind, options), _ in program]
    for name, (kind, options), active in program:
        with hp.conditional_scope("mode", ["on"] if active else ["off"]):
            answers.append(getattr(hp, kind)(f"under_{active}_{name}", **options))
    return [mode, *answers]


@settings(deadline=None)
@given(programs)
def test_answered_with_defaults_it_is_the_stock_hp(program: list[Any]) -> None:
    stock, ours = keras_tuner.HyperParameters(), AskingHyperParameters(lambda parameter: parameter.default)

    answers = build(ours, program)

    assert answers == build(stock, program)
    assert ours.values == stock.values
    assert [one.name for one in ours.space] == [one.name for one in stock.space]


@settings(deadline=None)
@given(programs)
def test_a_parameter_that_went_to_keras_tuner_comes_back_whole(program: list[Any]) -> None:
    hp = keras_tuner.HyperParameters()
    build(hp, program)

    for one in hp.space:
        parameter = to_parameter(one)
        back = to_keras_tuner(parameter)

        assert to_parameter(back) == parameter
        assert isinstance(back, type(one))
        assert {**back.get_config(), "default": back.default} == {**one.get_config(), "default": one.default}
        if not isinstance(back, Decimals):  # which has values that KerasTuner's own leaves out
            assert back.random_sample(3) == one.random_sample(3)


@pytest.mark.promise("35")
def test_every_active_value_is_asked_for_once() -> None:
    asked = []

    def ask(parameter: Parameter) -> Value:
        asked.append(parameter)
        return "off" if parameter.name == "mode" else parameter.default

    hp = AskingHyperParameters(ask)
    hp.Choice("mode", ["on", "off"])
    inactive = hp.Int("units", 1, 9, parent_name="mode", parent_values=["on"])
    active = hp.Int("units", 5, 9, parent_name="mode", parent_values=["off"])
    again = hp.Choice("mode", ["on", "off"])
    fixed = hp.Fixed("seed", 3)

    assert (inactive, active, again, fixed) == (None, 5, "off", 3)
    assert asked == [
        Parameter("mode", "choice", "on", choices=("on", "off")),
        Parameter("units", "int", 5, low=5, high=9, step=1, conditions=(Condition("mode", ("off",)),)),
        Parameter("seed", "fixed", 3),
    ]


def test_values_known_from_before_are_not_asked_for() -> None:
    hp = AskingHyperParameters(pytest.fail, asked={"units": 7})

    assert hp.Int("units", 1, 9) == 7
    assert hp.get("units") == 7


def test_answers_are_what_the_far_end_says() -> None:
    hp = AskingHyperParameters(lambda parameter: {"rate": 0.5, "norm": True}[parameter.name])

    assert hp.Float("rate", 0.1, 0.9, step=0.2) == 0.5
    assert hp.Boolean("norm") is True


def test_a_copy_is_a_plain_one_with_the_same_values() -> None:
    hp = AskingHyperParameters(lambda _: 4)
    hp.Int("units", 1, 9)

    assert hp.copy().values == {"units": 4}


def test_the_task_hangs_on_it() -> None:
    task = Task((28, 28), 2, ("a", "b"), rows=1001, epochs=3, batch_size=100)

    assert AskingHyperParameters(lambda _: 0, task).task.steps_per_epoch == 11
    with pytest.raises(AttributeError, match="no task"):
        _ = AskingHyperParameters(lambda _: 0).task


def test_a_build_model_from_a_keras_tuner_tutorial_runs_unchanged() -> None:
    import keras

    def build_model(hp: Any) -> Any:
        model = keras.Sequential()
        model.add(keras.Input((28, 28)))
        model.add(keras.layers.Flatten())
        for i in range(hp.Int("num_layers", 1, 3)):
            model.add(
                keras.layers.Dense(
                    units=hp.Int(f"units_{i}", min_value=32, max_value=512, step=32),
                    activation=hp.Choice("activation", ["relu", "tanh"]),
                )
            )
        if hp.Boolean("dropout"):
            model.add(keras.layers.Dropout(rate=0.25))
        model.add(keras.layers.Dense(10, activation="softmax"))
        learning_rate = hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log")
        model.compile(keras.optimizers.Adam(learning_rate), "categorical_crossentropy", metrics=["accuracy"])
        return model

    answers = {"num_layers": 2, "units_0": 64, "units_1": 32, "activation": "tanh", "dropout": True, "lr": 0.002}
    hp = AskingHyperParameters(lambda parameter: answers[parameter.name])

    model = build_model(hp)

    assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [64, 32, 10]
    assert hp.values == answers


ENDLESS = {
    "Choice": {"values": [2.0, 4.0, float("inf")]},
    "Fixed": {"value": float("nan")},
    "Float": {"min_value": 0.0, "max_value": float("inf")},
    "Boolean": {"parent_name": "mode", "parent_values": [float("-inf")]},
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_is_not_finite_is_refused_where_it_is_asked_for(kind: str) -> None:
    hp = AskingHyperParameters(lambda parameter: parameter.default)
    hp.Choice("mode", [0.0, 1.0])

    with pytest.raises(ValueError, match=r"'bound' is asked for with (inf|nan|-inf); take a finite number"):
        getattr(hp, kind)("bound", **ENDLESS[kind])
