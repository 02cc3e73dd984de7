"""Gives each parameter a dimension of a sampler's: a name in Optuna, and how values lie on it.

Optuna takes one distribution's kind and choices under one name. It would take other ends, but then looks only between
those that it met first. So the first five ranges of a name have a dimension each, since the branches of a build may
give it several that stay as they are, such as a learning rate for each optimizer. A name of more ranges hangs on
another value, and each trial may have a range of its own; a dimension for each would teach the sampler nothing, and
takes more time from trial to trial. All from the sixth on share one: on it lies which share of the range, as it is in a
trial, lies below the value. What the first five taught is not known there.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from optuna import Trial
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.space import FEW_RANGES, Parameter, Value
from hpsearch.tuners.axis import Axis, Point, axis

Range = IntDistribution | FloatDistribution


@dataclass(frozen=True)
class Share:
    """An axis on which a point is the share, 0 to 1, of another one's range that lies below its value."""

    of: Axis
    distribution: ClassVar[Range] = FloatDistribution(0.0, 1.0)

    def value(self, point: Point) -> Value:
        """The value at a point."""
        return self.of.value(_at(self._range, point))

    def point(self, value: Value) -> Point | None:
        """Where a value lies; None if it does not lie on the axis."""
        place = self.of.point(value)
        return None if place is None else _below(self._range, place)

    @property
    def _range(self) -> Range:
        if isinstance(self.of.distribution, CategoricalDistribution):
            message = "categories have no order"
            raise TypeError(message)
        return self.of.distribution

    def suggest(self, trial: Trial, name: str) -> Point:
        """Have Optuna choose a point."""
        return trial.suggest_float(name, 0.0, 1.0)


Dimension = tuple[str, Axis | Share]


class Dimensions:
    """The dimensions of one study, in the order in which it met them."""

    def __init__(self) -> None:
        self._seen: dict[str, list[object]] = {}
        self._known: dict[Parameter, Dimension] = {}

    def of(self, parameter: Parameter) -> Dimension:
        """The parameter's dimension: under its own name for what was met first, else under a numbered one."""
        if parameter not in self._known:
            self._known[parameter] = self._laid(parameter)
        return self._known[parameter]

    def _laid(self, parameter: Parameter) -> Dimension:
        seen, laid = self._seen.setdefault(parameter.name, []), axis(parameter)
        laid = next((other for other in seen if isinstance(other, Axis) and _same_choices(laid, other)), laid)
        if laid in seen or laid.values or sum(_alike(laid, other) for other in seen) < FEW_RANGES:
            return _numbered(parameter.name, seen, laid), laid
        scope = (laid.kind, parameter.sampling, parameter.conditions)
        return _numbered(parameter.name, seen, scope), Share(laid)


def _alike(one: Axis, other: object) -> bool:
    """Whether both are ranges of one kind; their ends differ."""
    return isinstance(other, Axis) and not other.values and one.kind == other.kind


def _same_choices(one: Axis, other: Axis) -> bool:
    """Whether both are the same choices, in whatever order, of which none is told."""
    unordered = isinstance(one.distribution, CategoricalDistribution) and one.distribution == other.distribution
    return unordered and one.kind == other.kind and sorted(map(repr, one.values)) == sorted(map(repr, other.values))


def _numbered(name: str, seen: list[object], key: object) -> str:
    if key not in seen:
        seen.append(key)
    place = seen.index(key)
    return f"{name}\x1f{place}" if place else name


def _at(distribution: Range, share: float) -> Point:
    low, high = _ends(distribution)
    number = low + share * (high - low)
    if distribution.log:
        number = math.exp(number)
    if isinstance(distribution, FloatDistribution):
        return number
    steps = round((number - distribution.low) / distribution.step)
    return min(max(distribution.low + steps * distribution.step, distribution.low), distribution.high)


def _below(distribution: Range, point: Point) -> float:
    low, high = _ends(distribution)
    number = math.log(point) if distribution.log else point
    return min(max((number - low) / (high - low), 0.0), 1.0) if high > low else 0.5


def _ends(distribution: Range) -> tuple[float, float]:
    """Where a range begins and ends on the scale that is drawn from; a whole number has half a step on either side."""
    half = distribution.step / 2 if isinstance(distribution, IntDistribution) else 0.0
    low, high = distribution.low - half, distribution.high + half
    return (math.log(low), math.log(high)) if distribution.log else (low, high)
