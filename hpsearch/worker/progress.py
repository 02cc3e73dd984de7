"""How far a fit has come: what its checkpoint keeps beside the model."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpsearch.trial import Attempt, Measure, Metrics

RETOLD = 200  # epochs; more measures than lie in a pipe, and in a transaction of the ledger, when a coordinator dies


@dataclass
class Progress:
    """The epochs that were made, the best among them, and `latest`: metrics and seconds of the last of them, in order.

    `made_by` is the digest of what the fit was made by; see digest().
    """

    epoch: int = 0
    score: float | None = None
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    latest: list[tuple[dict[str, float], float]] = field(default_factory=list)
    made_by: str = ""

    def note(self, metrics: Metrics, seconds: float) -> None:
        """Take in what an epoch came to, and how long it took."""
        self.latest = [*self.latest[1 - RETOLD :], (dict(metrics), seconds)]

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        latest = [(metrics, seconds) for metrics, seconds in state["latest"]]
        self.__dict__.update({**state, "latest": latest})

    def measures(self, attempt: Attempt) -> Iterator[Measure]:
        """The latest epochs in order, as an attempt tells of them."""
        for epoch, (metrics, seconds) in enumerate(self.latest, self.epoch - len(self.latest) + 1):
            yield Measure(attempt, epoch, metrics, seconds)

    def last_measure(self, attempt: Attempt) -> Measure:
        """The last epoch, as an attempt tells of it."""
        metrics, seconds = self.latest[-1]
        return Measure(attempt, self.epoch, metrics, seconds)


def digest(values: Mapping[str, Any], batch_size: int) -> str:
    """The SHA-256 of the values that a model was built with."""
    return hashlib.sha256(json.dumps([batch_size, sorted(values.items())], default=str).encode()).hexdigest()
