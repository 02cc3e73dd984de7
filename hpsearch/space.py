"""One tunable parameter as plain data, so that any tuner and any process can speak of it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Value = bool | int | float | str
Values = dict[str, Value]
Kind = Literal["int", "float", "choice", "boolean", "fixed"]
Sampling = Literal["linear", "log", "reverse_log"]

BATCH_SIZE = "batch_size"


@dataclass(frozen=True)
class Condition:
    """A parameter is active only while another one has one of these values."""

    name: str
    values: tuple[Value, ...]

    def holds(self, values: Values) -> bool:
        """Whether the other parameter is there with one of the wanted values."""
        return self.name in values and values[self.name] in self.values


FEW_RANGES = 5  # of one name, which branches may ask for; where there are more, each hangs on another value


@dataclass(frozen=True)
class Parameter:
    """What `build_model` asked for: KerasTuner's Int, Float, Choice, Boolean or Fixed.

    `low`, `high` and `step` serve numbers (`high` is included; with log sampling `step` is a factor);
    `choices` serves choices; a fixed parameter has its value as default.
    """

    name: str
    kind: Kind
    default: Value
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    sampling: Sampling = "linear"
    choices: tuple[Value, ...] = ()
    ordered: bool = False
    conditions: tuple[Condition, ...] = ()

    def active(self, values: Values) -> bool:
        """Whether every condition holds under these values."""
        return all(condition.holds(values) for condition in self.conditions)

    def contains(self, value: Value) -> bool:
        """Whether the value lies inside the parameter's range or among its choices (steps are not checked)."""
        if self.kind == "fixed":
            return same(value, self.default)
        if self.kind in {"choice", "boolean"}:
            return any(same(value, choice) for choice in self.choices)
        if isinstance(value, bool | str) or self.low is None or self.high is None:
            return False
        return self.low <= value <= self.high and (self.kind == "float" or isinstance(value, int))

    def fixed_to(self, value: Value) -> "Parameter":
        """The same parameter with one value only."""
        return replace(self, kind="fixed", default=value, low=None, high=None, step=None, sampling="linear", choices=())


@dataclass(frozen=True)
class Bounds:
    """What an experiment wants of a number; step and sampling are build_model's unless given."""

    min: float | int
    max: float | int
    step: float | int | None = None
    sampling: Sampling | None = None


Wish = Value | Bounds | list[Value]  # what [space] says of one name: a value that fixes it, a range, a list of choices


def searched_batch_size(sizes: tuple[int, ...]) -> Parameter:
    """The batch size where `train.batch_size` lists several: it is asked for before `build_model` runs."""
    return Parameter(BATCH_SIZE, "choice", sizes[0], choices=tuple(sorted(sizes)), ordered=True)


def same(one: Value, other: Value) -> bool:
    """Whether two values are equal and of one type (Python holds True == 1 == 1.0)."""
    return one == other and type(one) is type(other)


@lru_cache(maxsize=4096)
def once(name: str) -> str:
    """The same string for every copy of a name: each message of a worker brings its own, and a trial's would stay."""
    return name
