"""The grid of a number that has a step: how many values it takes, and which.

The grids are KerasTuner's (`Numerical._get_n_values` and `_get_value_by_index`, keras_tuner 1.4.8), but for what
floating point does there: it ends 0 to 0.5 by 0.1 at 0.4, because 0.5 // 0.1 is 4, and writes 0.3 as
0.30000000000000004.
"""

import math
from functools import lru_cache

from hpsearch.space import Parameter, Value

Number = int | float

SLACK = 1e-6  # of a step, for what floating point did on the way
DIGITS = 12  # 0.1 + 2 × 0.1 is 0.3 to a person


@lru_cache(maxsize=4096)
def grid(parameter: Parameter) -> tuple[Number, ...]:
    """Every value of a number with a step, from the first one on: upwards, with reverse_log downwards."""
    return tuple(at(parameter, place) for place in range(count(parameter)))


def count(parameter: Parameter) -> int:
    """How many values a number with a step takes."""
    low, high, step = _numbers(parameter)
    if parameter.sampling != "linear":
        return int(math.log(high / low, step) + SLACK) + 1
    if parameter.kind == "int":
        return int((high - low) // step) + 1
    return int((high - low) / step + SLACK) + 1


def at(parameter: Parameter, place: int) -> Number:
    """The value at a place, counted from 0; it lies inside the range, and is of the parameter's kind."""
    low, high, step = _numbers(parameter)
    if place == 0:
        number = high if parameter.sampling == "reverse_log" else low
        return number if parameter.kind == "int" else float(number)
    number = low + place * step if parameter.sampling == "linear" else low * step**place
    if parameter.sampling == "reverse_log":
        number = low + high - number
    if parameter.kind == "int":
        return round(number)
    if parameter.sampling == "linear" and abs(number) < SLACK * step:  # -0.3 + 3 × 0.1 is 5.6e-17
        number = 0.0
    return min(max(float(f"{number:.{DIGITS}g}"), float(low)), float(high))


def place(parameter: Parameter, value: Number) -> int:
    """The place nearest to a value of the range, on the parameter's own scale."""
    return min(round(_steps(parameter, value)), count(parameter) - 1)


def fits(parameter: Parameter, value: Value) -> bool:
    """Whether the parameter could take this value: it is one of its choices, or in its range and on its grid."""
    if not parameter.contains(value):
        return False
    if not parameter.step or isinstance(value, bool | str):
        return True
    steps = _steps(parameter, value)
    return abs(steps - round(steps)) < SLACK


def _steps(parameter: Parameter, value: Number) -> float:
    """How many steps a value of the range lies from the first one."""
    low, high, step = _numbers(parameter)
    if parameter.sampling == "linear":
        return (value - low) / step
    away = value if parameter.sampling == "log" else low + high - value
    return math.log(away / low) / math.log(step)


def _numbers(parameter: Parameter) -> tuple[Number, Number, Number]:
    if parameter.low is None or parameter.high is None or not parameter.step:
        message = f"{parameter.name}: a grid has a lowest and a highest value and a step"
        raise ValueError(message)
    return parameter.low, parameter.high, parameter.step
