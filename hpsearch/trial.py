"""The nouns of a search: what is ordered, what is trained, what is heard of it, and how it ended."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from hpsearch.space import Values

Metrics = Mapping[str, float]
CUT_OFF = "its session ended without a word"  # why an attempt was lost whose coordinator was killed, or its machine
STRICT = {"ser_json_inf_nan": "strings"}  # JSON has no NaN: pydantic writes "NaN" and reads it back


class Status(StrEnum):
    """How a trial stands.

    asked ──► running ◄─► interrupted
                    ├───► completed
                    ├───► pruned      (cut short on purpose)
                    └───► failed      (raised, ran out of memory, hung, or its process died too often)
    """

    ASKED = "asked"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"


class How(StrEnum):
    """How an attempt ended: by itself (well or with a failure), with its process, or because it was told to stop."""

    FINISHED = "finished"
    LOST = "lost"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of the search space: the order. Values may still be empty while `build_model` asks for them."""

    number: int
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """What a worker trains: one trial on one part of the data, under one seed.

    A *search* fit belongs to the trial's score; *final* fits train a finalist again on fresh seeds;
    a *whole* fit trains the winner of a cross-validation on all training rows.
    """

    trial: int
    seed: int
    kind: Literal["search", "final", "whole"] = "search"
    fold: int = 0
    repeat: int = 0

    @property
    def name(self) -> str:
        """A name for folders and logs, one of its own within the study."""
        return f"{self.kind}-{self.trial:04d}-r{self.repeat}-f{self.fold}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a fit; it ends exactly once."""

    fit: Fit
    number: int = 1


@dataclass(frozen=True, slots=True)
class Measure:
    """The news after an epoch (counted from 1): every metric, such as loss, val_accuracy, learning_rate."""

    __pydantic_config__ = STRICT

    attempt: Attempt
    epoch: int
    metrics: Metrics
    seconds: float


@dataclass(frozen=True)
class Built:
    """The model of an attempt stands: its number of weights, Keras's own summary of it, and its warm-up.

    `warmup_epochs` is how long its learning rate climbs before it falls; the scores of these epochs judge nobody.
    `building` and `tracing` are the seconds that build_model and the training graphs took. `anew` says that the fit
    is begun from its first epoch whatever was done before, since no checkpoint has all that it trains with.
    """

    attempt: Attempt
    parameters: int
    summary: str
    loop: str
    warmup_epochs: int = 0
    building: float = 0.0
    tracing: float = 0.0
    anew: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a trial came to nothing: a failed trial is data, not an exception."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, and with what: the best epoch's score and metrics where there is one."""

    __pydantic_config__ = STRICT

    attempt: Attempt
    how: How
    seconds: float
    score: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    metrics: Metrics = field(default_factory=dict)
    reason: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The outcome of a trial, when its fits have ended. Score and metrics are means over the fits; seconds their sum.

    `scores` has what each fit that came to its end had, by its name ("fold_3", "repeat_1.fold_3"), in their order;
    it is empty where a trial is one fit.
    """

    __pydantic_config__ = STRICT

    trial: Trial
    status: Status
    score: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    metrics: Metrics = field(default_factory=dict)
    reason: str = ""
    failure: Failure | None = None
    scores: Metrics = field(default_factory=dict)


def distinct(results: Iterable[TrialResult]) -> Iterator[TrialResult]:
    """The results in their order, each with other values than those before it: a tuner may come to a point again."""
    seen: list[Values] = []
    for result in results:
        if result.trial.values not in seen:
            seen.append(result.trial.values)
            yield result
