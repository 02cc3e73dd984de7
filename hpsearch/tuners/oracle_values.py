"""Translates values between a parameter as this trial asks for it and the one that the oracle knows."""

from dataclasses import replace
from typing import Any

from hpsearch.grid import at, fits, place
from hpsearch.space import Parameter, Value
from hpsearch.worker.hp import to_keras_tuner


def startable(parameter: Parameter) -> Parameter:
    """The parameter with a default that it can take: a grid begins with it."""
    if parameter.kind not in {"int", "float"} or parameter.low is None:
        return parameter
    if not parameter.contains(parameter.default):
        return replace(parameter, default=at(parameter, 0) if parameter.step else parameter.low)
    return replace(parameter, default=written(parameter, parameter.default))


def alike(first: Parameter, other: Parameter) -> bool:
    """Whether two parameters of one name and scope can take the same values; default and order may differ."""
    same_choices = sorted(map(repr, first.choices)) == sorted(map(repr, other.choices))
    return same_choices and replace(first, default=other.default, choices=other.choices) == other


def grid_of(parameter: Parameter) -> list[Any]:
    """The values that KerasTuner's grid search tries, in its order."""
    hp = to_keras_tuner(startable(parameter))
    return list(dict.fromkeys([hp.default, *hp.values]))


def in_place_of(first: Parameter, parameter: Parameter, planned: Any) -> Value:
    """The value of a parameter's grid that has the place of the planned one in the grid that the oracle knows."""
    if not alike(first, parameter):
        known, own = grid_of(first), grid_of(parameter)
        planned = own[known.index(planned) % len(own)]
    value = inside_of(parameter, planned)
    return startable(parameter).default if value is None else value


def written(parameter: Parameter, value: Value) -> Value:
    """A value as the oracle itself writes it: what was tried is remembered by how it is written."""
    if isinstance(value, bool):
        return int(value) if parameter.kind == "choice" else value  # KerasTuner's Choice turns True into 1
    if isinstance(value, str) or parameter.low is None or parameter.high is None:
        return value
    if parameter.step and (fits(parameter, value) or not parameter.contains(value)):
        return at(parameter, place(parameter, min(max(value, parameter.low), parameter.high)))
    return value


def inside_of(parameter: Parameter, value: Any) -> Value | None:
    """The value as the parameter itself writes it (KerasTuner gives 64.0 for 64, 1 for True); None if it has none."""
    if parameter.kind in {"choice", "boolean"}:
        return next((choice for choice in parameter.choices if choice == value), None)
    if parameter.kind == "fixed":
        return parameter.default
    if parameter.low is None or parameter.high is None or isinstance(value, bool | str):
        return None
    number = round(value) if parameter.kind == "int" else float(value)
    slack = 1e-9 * max(abs(parameter.low), abs(parameter.high))  # a float may be drawn beyond its range by its last bit
    if not parameter.low - slack <= number <= parameter.high + slack:
        return None
    inside = min(max(number, type(number)(parameter.low)), type(number)(parameter.high))
    return inside if fits(parameter, inside) else None
