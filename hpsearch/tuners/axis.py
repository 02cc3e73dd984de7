"""Lays a parameter out as one of Optuna's distributions, and finds the way back to its values.

Optuna knows no geometric grid and no reverse logarithm: a grid becomes the places of its values, and a
reverse logarithm is drawn as a logarithm and mirrored.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from optuna import Trial
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.grid import at, count, place
from hpsearch.space import Kind, Parameter, Value, same

Point = int | float
Distribution = IntDistribution | FloatDistribution | CategoricalDistribution


@dataclass(frozen=True)
class Axis:
    """A distribution with what leads from its points to values.

    `values` are listed where a point is a place among them, and `grid` is the parameter where it is a place on its
    grid, which may be too long to list; `mirror` is low + high where points are mirrored.
    """

    kind: Kind
    distribution: Distribution
    values: tuple[Value, ...] = ()
    grid: Parameter | None = None
    mirror: Point | None = None

    def value(self, point: Point) -> Value:
        """The value at a point."""
        if self.values:
            return self.values[int(point)]
        if self.grid:
            return at(self.grid, int(point))
        low, high = self._ends()
        inside = min(max(point if self.mirror is None else self.mirror - point, low), high)
        return int(inside) if self.kind == "int" else float(inside)

    def point(self, value: Value) -> Point | None:
        """Where a value lies; None if it does not lie on the axis."""
        if self.values:
            return next((place for place, known in enumerate(self.values) if same(known, value)), None)
        if isinstance(value, bool | str):
            return None
        if self.grid:
            return _place(self.grid, value)
        low, high = self._ends()
        if not low <= value <= high:
            return None
        # Mirroring the end of a float range may miss the other end by its last bit.
        return value if self.mirror is None else min(max(self.mirror - value, low), high)

    def _ends(self) -> tuple[Point, Point]:
        if isinstance(self.distribution, CategoricalDistribution):
            message = "categories are places among values"
            raise TypeError(message)
        return self.distribution.low, self.distribution.high

    def suggest(self, trial: Trial, name: str) -> Point:
        """Have Optuna choose a point."""
        match self.distribution:
            case IntDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_int(name, low, high, step=step, log=log)
            case FloatDistribution(low=low, high=high, log=log):
                return trial.suggest_float(name, low, high, log=log)
            case CategoricalDistribution(choices=places):
                return places.index(trial.suggest_categorical(name, places))


@lru_cache(maxsize=4096)
def axis(parameter: Parameter) -> Axis:
    """Lay out a parameter that is not fixed."""
    if parameter.kind in {"choice", "boolean"}:
        values = parameter.choices or (False, True)
        return Axis(parameter.kind, _places(len(values), ordered=parameter.ordered), values)
    if parameter.low is None or parameter.high is None:
        message = f"{parameter.name}: a number needs a lowest and a highest value"
        raise ValueError(message)
    if parameter.step and (parameter.kind == "float" or parameter.sampling != "linear"):
        places = _places(count(parameter), ordered=True)
        return Axis(parameter.kind, places, grid=replace(parameter, name="", default=0, conditions=()))
    return Axis(parameter.kind, _range(parameter, parameter.low, parameter.high), mirror=_mirror(parameter))


def _place(parameter: Parameter, value: Point) -> int | None:
    """The place nearest to a value of the range: a default may lie between two steps.

    An end may have a binary tail: 3 * 0.1 is 0.30000000000000004.
    """
    if parameter.low is None or parameter.high is None or isinstance(value, float) != (parameter.kind == "float"):
        return None
    inside = min(max(value, parameter.low), parameter.high)
    return place(parameter, inside) if math.isclose(inside, value, rel_tol=1e-9) else None


def _places(count: int, *, ordered: bool) -> Distribution:
    return IntDistribution(0, count - 1) if ordered else CategoricalDistribution(range(count))


def _range(parameter: Parameter, low: Point, high: Point) -> Distribution:
    log = parameter.sampling != "linear"
    if parameter.kind == "float":
        return FloatDistribution(float(low), float(high), log=log)
    step = 1 if log else int(parameter.step or 1)
    low, high = int(low), int(high)
    return IntDistribution(low, low + (high - low) // step * step, log=log, step=step)


def _mirror(parameter: Parameter) -> Point | None:
    if parameter.sampling != "reverse_log" or parameter.low is None or parameter.high is None:
        return None
    return parameter.low + parameter.high
