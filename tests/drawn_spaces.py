"""Small random search spaces for property tests: every kind of parameter, under conditions and on plain branches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from hpsearch.grid import grid
from hpsearch.space import Condition, Parameter, Value, Values

SAMPLINGS = ("linear", "log", "reverse_log")


@dataclass(frozen=True)
class Space:
    """What a build asks for: each parameter on the branch of it on which all of these conditions hold.

    A parameter has the conditions of its branch where the build says them (`conditional_scope`), else it is a plain
    `if` of Python's. `known` is what sample builds found of it.
    """

    items: tuple[tuple[Parameter, tuple[Condition, ...]], ...]
    known: tuple[Parameter, ...]

    def wants(self, values: Values) -> list[Parameter]:
        """What the build asks for under these values."""
        return [parameter for parameter, branch in self.items if all(one.holds(values) for one in branch)]

    def points(self, values: Values | None = None) -> list[Values]:
        """Every point of a space of finite parameters."""
        values = values or {}
        asked = next((one for one in self.wants(values) if one.name not in values), None)
        if asked is None:
            return [values]
        return [point for value in values_of(asked) for point in self.points({**values, asked.name: value})]


def values_of(parameter: Parameter) -> Sequence[Value]:
    """All values of a finite parameter."""
    if parameter.kind == "fixed":
        return [parameter.default]
    return parameter.choices or grid(parameter)


@st.composite
def whole_numbers(draw: Any, *, finite: bool) -> Parameter:
    """An Int as KerasTuner makes it: a linear one always has a step."""
    sampling = draw(st.sampled_from(SAMPLINGS))
    if sampling == "linear":
        low, step = draw(st.integers(-4, 8)), draw(st.integers(1, 4))
        high = low + draw(st.integers(0, 12 if finite else 40))
    else:
        low, step = draw(st.integers(1, 8)), draw(st.sampled_from([2, 3] if finite else [2, 3, None]))
        high = low * draw(st.integers(1, 20)) + draw(st.integers(0, 3))
    return Parameter("", "int", low, low, high, step, sampling)


@st.composite
def decimals(draw: Any, *, finite: bool) -> Parameter:
    """A Float whose bounds and step are decimals of few digits, as a person writes them."""
    sampling, steps = draw(st.sampled_from(SAMPLINGS)), draw(st.integers(0, 5))
    if sampling == "linear":
        unit, low, step = draw(st.sampled_from([10, 100, 1000])), draw(st.integers(-5, 9)), draw(st.integers(1, 7))
        low, high, step = low / unit, (low + steps * step + draw(st.integers(0, step - 1))) / unit, step / unit
    else:
        low, step = draw(st.sampled_from([1e-4, 0.003, 0.5, 2.0])), draw(st.sampled_from([2.0, 10.0]))
        high = float(f"{low * step**steps * draw(st.sampled_from([1.0, 1.5])):.6g}")
    return Parameter("", "float", low, low, high, step if finite or draw(st.booleans()) else None, sampling)


def choices() -> st.SearchStrategy[Parameter]:
    """A Choice of texts, whole numbers, decimals or truth values; the first is its default, as in KerasTuner."""
    values = st.sampled_from(["abcd", [64, 16, 32], [0.0, 1e-4, 0.1], [True, False], [1, 0]])
    some = values.flatmap(lambda them: st.integers(1, len(them)).map(lambda many: tuple(them[:many])))
    return some.map(lambda them: Parameter("", "choice", them[0], choices=them, ordered=type(them[0]) in {int, float}))


@st.composite
def numbers(draw: Any, *, finite: bool) -> Parameter:
    """An Int or a Float, with a default on its grid, between two steps of it, or, where one may be, outside."""
    number = draw(st.one_of(whole_numbers(finite=finite), decimals(finite=finite)))
    defaults = list(grid(number)) if number.step else [number.low, number.high]
    if not finite:
        kind = type(number.low)
        defaults += [kind((number.low + number.high) / 2), kind(number.high + 1)]
    return replace(number, default=draw(st.sampled_from(defaults)))


def parameters(*, finite: bool) -> st.SearchStrategy[Parameter]:
    """A parameter of any kind, without a name yet."""
    truths = st.booleans().map(lambda default: Parameter("", "boolean", default, choices=(False, True)))
    fixed = st.sampled_from([3, 0.5, "relu", True]).map(lambda value: Parameter("", "fixed", value))
    return st.one_of(numbers(finite=finite), numbers(finite=finite), choices(), truths, fixed)


PARENTS = (
    Parameter("parent", "choice", "a", choices=("a", "b", "c")),
    Parameter("parent", "choice", 2, choices=(2, 4), ordered=True),
    Parameter("parent", "choice", default=True, choices=(True, False)),
    Parameter("parent", "boolean", default=False, choices=(False, True)),
    Parameter("parent", "int", 1, low=1, high=3, step=1),
)


@st.composite
def spaces(draw: Any, *, finite: bool = False, scoped: bool = False) -> Space:
    """A parent, parameters beside it, and under it: some of these have one name on two branches, or hang on another.

    A `finite` one has no range without a step, in a `scoped` one every branch is a conditional scope. What is on a
    plain branch may be unknown beforehand, and sometimes all is.
    """
    some, parent = parameters(finite=finite), draw(st.sampled_from(PARENTS))
    free = draw(st.lists(some, max_size=1 if finite else 3))
    items = [(parent, ()), *((replace(one, name=f"free_{place}"), ()) for place, one in enumerate(free))]
    options = list(values_of(parent))
    for place in range(draw(st.integers(0, 2))):
        cut = draw(st.integers(1, len(options) - 1))
        sides = [options[:cut], options[cut:]][: draw(st.integers(1, 2))]
        in_scope = scoped or draw(st.booleans())
        for side in sides:
            branch = (Condition("parent", tuple(side)),)
            one = replace(draw(some), name=f"under_{place}", conditions=branch if in_scope else ())
            items.append((one, branch))
            if one.kind in {"choice", "boolean"} and draw(st.booleans()):
                deeper = (*branch, Condition(one.name, one.choices[:1]))
                leaf = replace(draw(some), name=f"leaf_{place}", conditions=deeper if in_scope else ())
                items.append((leaf, deeper))
    if not scoped and not draw(st.integers(0, 4)):
        return Space(tuple(items), ())
    # A build meets all that is not on a plain branch, whichever values it has.
    return Space(tuple(items), tuple(one for one, branch in items if one.conditions == branch or draw(st.booleans())))


def size(space: Space) -> int:
    """How many points a finite space has at most, roughly: to leave large ones out before they are counted."""
    return math.prod(len(values_of(parameter)) for parameter, _ in space.items)
