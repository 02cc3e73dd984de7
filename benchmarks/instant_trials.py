"""The far side of the coordinator's benchmark: trials that train nothing but ask, measure and end as real ones do."""

import math
import time
from dataclasses import dataclass
from typing import Any

from hpsearch.space import Condition, Parameter, Values
from hpsearch.trial import AttemptEnd, Built, How, Measure
from hpsearch.worker.wire import Wire

DEEP = (Condition("layers", (2, 3)),)
SPACE = (
    Parameter("layers", "choice", 1, choices=(1, 2, 3), ordered=True),
    Parameter("units_0", "int", 64, low=16, high=512, step=16),
    Parameter("units_1", "int", 64, low=16, high=512, step=16, conditions=DEEP),
    Parameter("units_2", "int", 64, low=16, high=512, step=16, conditions=(Condition("layers", (3,)),)),
    Parameter("activation", "choice", "relu", choices=("relu", "tanh", "gelu", "elu")),
    Parameter("dropout", "float", 0.2, low=0.0, high=0.6),
    Parameter("norm", "boolean", default=False, choices=(False, True)),
    Parameter("optimizer", "choice", "adam", choices=("sgd", "adam", "rmsprop")),
    Parameter("momentum", "float", 0.9, low=0.0, high=0.99, conditions=(Condition("optimizer", ("sgd",)),)),
    Parameter("learning_rate", "float", 1e-3, low=1e-5, high=1e-1, sampling="log"),
    Parameter("weight_decay", "float", 1e-4, low=1e-7, high=1e-2, sampling="log"),
    Parameter("clip", "float", 1.0, low=0.1, high=10.0, sampling="log"),
)


@dataclass(frozen=True)
class Pace:
    """How many epochs a trial has, and seconds between them (0: as fast as they can be told)."""

    epochs: int
    seconds: float = 0.0


def work(line: Any, pace: Pace) -> None:
    """Be one attempt. A measure's `seconds` are the monotonic clock at its sending, so that its way can be timed."""
    order = line.recv()
    wire = Wire(line, order.attempt)
    values = dict(order.values)
    for parameter in SPACE:
        if parameter.name not in values and parameter.active(values):
            values[parameter.name] = wire.ask(parameter)
    wire.tell(Built(order.attempt, 1, "an instant model", "none"))
    best, at = 0.0, 1
    for epoch in range(1, pace.epochs + 1):
        if stop := wire.stopped():
            line.send(AttemptEnd(order.attempt, How.INTERRUPTED, 0.0, best, at, epoch - 1, reason=stop.reason))
            return
        time.sleep(pace.seconds)
        metrics = _metrics(values, epoch / pace.epochs)
        if metrics["val_accuracy"] > best:
            best, at = metrics["val_accuracy"], epoch
        wire.tell(Measure(order.attempt, epoch, metrics, time.monotonic()))
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, best, at, pace.epochs, {"val_accuracy": best}))


def _metrics(values: Values, done: float) -> dict[str, float]:
    """What Keras would tell, by a smooth formula of the values."""
    rate = math.exp(-((math.log10(float(values["learning_rate"])) + 3) ** 2))
    accuracy = (0.5 + 0.4 * rate - 0.2 * float(values["dropout"]) ** 2) * (0.5 + 0.5 * done)
    return {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1.1 - accuracy, "val_accuracy": accuracy}
