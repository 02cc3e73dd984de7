"""KerasTuner's `hp`, whose every value is asked for while `build_model` runs."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from keras_tuner import HyperParameters
from keras_tuner.engine import hyperparameters as kt
from keras_tuner.src.engine.conditions import Parent

from hpsearch.grid import at, count, grid
from hpsearch.space import Condition, Parameter, Value, Values
from hpsearch.worker.task import Task


class AskingHyperParameters(HyperParameters):  # type: ignore[misc]  # keras_tuner has no types
    """A `keras_tuner.HyperParameters` that asks for each active value it does not know yet, once a name.

    `asked` holds values that are known from before; once training has `begun`, nothing else may be asked for.
    Scopes, conditions and repeated names mean what they mean in KerasTuner; its `_register` is the one seam
    (keras_tuner 1.4.8).
    """

    def __init__(
        self, ask: Callable[[Parameter], Value], task: Task | None = None, asked: Values | None = None
    ) -> None:
        super().__init__()
        self._ask = ask
        self._task = task
        self.begun = False
        self.values.update(asked or {})

    @property
    def task(self) -> Task:
        """The work ahead; raises AttributeError where nobody said what it is."""
        if self._task is None:
            message = "this hp has no task: it was made without one"
            raise AttributeError(message)
        return self._task

    @property
    def used(self) -> Values:
        """The values of all that was asked for and is active."""
        return {one.name: self.values[one.name] for one in self.space if self.is_active(one)}

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        parameter = to_parameter(hyperparameter)  # of an inactive one, too: so it is refused in the line that asks
        if parameter.name not in self.values and self.is_active(hyperparameter):
            if self.begun:
                message = f"fit asks for {parameter.name!r} when its training has begun; let it ask before"
                raise ValueError(message)
            self.values[parameter.name] = self._ask(parameter)
            overwrite = False
        return super()._register(hyperparameter, overwrite)


class Decimals(kt.Float):  # type: ignore[misc]  # keras_tuner has no types
    """A Float with a step that takes every value of its grid, the last one too, as a person writes it."""

    @property
    def values(self) -> tuple[int | float, ...]:
        """Every value, in its order."""
        return grid(to_parameter(self))

    def prob_to_value(self, prob: float) -> int | float:
        """The value at a share, from 0 to 1, of the grid."""
        parameter = to_parameter(self)
        many = count(parameter)
        return at(parameter, min(int(prob * many), many - 1))


def to_parameter(hp: Any) -> Parameter:
    """Turn one of KerasTuner's hyperparameters into plain data.

    Raises TypeError for a kind that is not its own, ValueError for infinity and NaN, which no ledger's JSON can say.
    """
    parameter = _translated(hp)
    conditions = [value for condition in parameter.conditions for value in condition.values]
    for value in [parameter.default, parameter.low, parameter.high, parameter.step, *parameter.choices, *conditions]:
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{parameter.name!r} is asked for with {value}; take a finite number (1e30 bounds nothing either)"
            raise ValueError(message)
    return parameter


def _translated(hp: Any) -> Parameter:
    conditions = tuple(Condition(condition.name, _plain(condition.values)) for condition in hp.conditions)
    match hp:
        case kt.Fixed():
            return Parameter(hp.name, "fixed", _plain([hp.value])[0], conditions=conditions)
        case kt.Boolean():
            return Parameter(hp.name, "boolean", bool(hp.default), choices=(False, True), conditions=conditions)
        case kt.Choice():
            default, *choices = _plain([hp.default, *hp.values])
            ordered = bool(hp.ordered)
            return Parameter(hp.name, "choice", default, choices=tuple(choices), ordered=ordered, conditions=conditions)
        case kt.Int() | kt.Float():
            return _number(hp, conditions)
    message = f"{hp!r} is none of KerasTuner's Int, Float, Choice, Boolean and Fixed"
    raise TypeError(message)


def to_keras_tuner(parameter: Parameter) -> Any:
    """Turn a parameter into KerasTuner's hyperparameter, its conditions included."""
    about = {
        "name": parameter.name,
        "conditions": [Parent(condition.name, list(condition.values)) for condition in parameter.conditions],
    }
    match parameter.kind:
        case "fixed":
            return kt.Fixed(value=parameter.default, **about)
        case "boolean":
            return kt.Boolean(default=parameter.default, **about)
        case "choice":
            choices = list(parameter.choices)
            return kt.Choice(values=choices, ordered=parameter.ordered, default=parameter.default, **about)
    kinds = {"int": kt.Int, "float": Decimals if parameter.step else kt.Float}
    return kinds[parameter.kind](
        min_value=parameter.low,
        max_value=parameter.high,
        step=parameter.step,
        sampling=parameter.sampling,
        default=parameter.default,
        **about,
    )


def _number(hp: Any, conditions: tuple[Condition, ...]) -> Parameter:
    kind = int if isinstance(hp, kt.Int) else float
    return Parameter(
        name=hp.name,
        kind="int" if kind is int else "float",
        default=kind(hp.default),
        low=kind(hp.min_value),
        high=kind(hp.max_value),
        step=None if hp.step is None else kind(hp.step),
        sampling=hp.sampling,
        conditions=conditions,
    )


def _plain(values: Sequence[Any]) -> tuple[Value, ...]:
    """Strip numpy's number types, which are equal to Python's but travel as something else."""
    return tuple(value.item() if hasattr(value, "item") else value for value in values)
