"""KerasTuner's oracles as tuners in this process: one of its own for each example would take the most of the time."""

from typing import Any

from hpsearch.protocols import Brief
from hpsearch.tuners import oracles, via_keras_tuner


class _Here:
    def begin(self, given: Brief) -> None:
        self.mind = oracles.Mind(self.kind, given)  # type: ignore[attr-defined]

    def _request(self, what: str, *arguments: Any) -> Any:
        return getattr(self.mind, what)(*arguments)


class Random(_Here, via_keras_tuner.Random): ...


class Grid(_Here, via_keras_tuner.Grid): ...
