"""Chooses the values of sample builds, so that each value of a small choice is built with once."""

from collections.abc import Callable, Sequence
from typing import Any

from hpsearch.grid import count, grid
from hpsearch.space import Parameter, Value, Values, same

FEW = 10  # values; a parameter of more is drawn at random


class Stepping:
    """Answers one build after another.

    A value that was left out opens a way: the answers that came before its question, and it. A build goes the way that
    was opened first, and then on by values that no build had yet. So a choice below a rare choice is stepped through,
    too.
    """

    def __init__(self) -> None:
        self._seen: set[Any] = set()
        self._open: dict[Any, Values] = {}
        self._way: Values = {}
        self._values: Values = {}

    @property
    def done(self) -> bool:
        """Whether each value of the small choices that were met was built with."""
        return not self._open

    def begin(self) -> None:
        """Begin a build whose answers are only heard."""
        self._way, self._values = {}, {}

    def set_out(self) -> None:
        """Begin a build that takes steps."""
        self.begin()
        if self._open:
            first = next(iter(self._open))
            self._way = self._open.pop(first)
            self._seen.add(first)  # also if it is not come to: the build may fail before

    def step(self, parameter: Parameter, drawn: Callable[[Parameter], Value]) -> Value:
        """Answer a question: by the way, by a value that no build had yet, or else by the one that is drawn."""
        value = self._way.get(parameter.name)
        if value is None or not parameter.contains(value):
            unseen = [one for one in _few(parameter) if _key(parameter, one) not in self._seen]
            value = unseen[0] if unseen else drawn(parameter)
        return self.note(parameter, value)

    def note(self, parameter: Parameter, value: Value) -> Value:
        """Hear what a build was answered; give it back."""
        for one in _few(parameter):
            key = _key(parameter, one)
            if same(one, value):
                self._seen.add(key)
                self._open.pop(key, None)
            elif key not in self._seen:
                self._open.setdefault(key, {**self._values, parameter.name: one})
        self._values[parameter.name] = value
        return value


def _few(parameter: Parameter) -> Sequence[Value]:
    """The values of a parameter that has few."""
    if parameter.kind in {"choice", "boolean"}:
        return parameter.choices if len(parameter.choices) <= FEW else ()
    return grid(parameter) if parameter.step and count(parameter) <= FEW else ()


def _key(parameter: Parameter, value: Value) -> Any:
    return parameter.name, parameter.conditions, repr(value)
