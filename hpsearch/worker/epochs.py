"""What every training loop promises: epochs, one after another, which end early where `tick` raises."""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hpsearch.worker.optimizers import updating
from hpsearch.worker.rows import rows_at_once

Tick = Callable[[int, int], None]
VALIDATION_BATCH = 256  # rows of small images a step, or as many as in training if that is more


def validation_batch(batch_size: int, shape: Sequence[int]) -> int:
    """How many images of a shape are validated at once beside this batch size in training."""
    return max(batch_size, rows_at_once(VALIDATION_BATCH, shape))


class NonFinite(ValueError):
    """A metric came out as NaN or infinite."""


def refuse_non_finite(loss: float, epoch: int, step: int, steps: int) -> None:
    """Raise NonFinite when the mean loss of an epoch so far is no finite number: it will not be one at its end."""
    if not math.isfinite(loss):
        message = f"loss is {loss} in epoch {epoch}, at step {step} of {steps}"
        raise NonFinite(message)


class Loop(Protocol):
    """Trains a compiled model epoch by epoch."""

    kind: str
    """"graph", or "fit: " and why."""
    unkept: str
    """Why no checkpoint has all that it trains with; "" where none is known of."""

    def epoch(self, number: int, *, tick: Tick | None = None) -> dict[str, float]:
        """Train epoch `number` (from 1) and validate; give Keras's metrics by their names.

        Adds learning_rate as it stands after the epoch, where there is one; without validation rows there is no val_*.
        About once a second, between two steps, `tick(step, steps)` hears how far the training is. What it raises ends
        the epoch half way, and leaves the model as the last step did.
        As often the loss is looked at: raise NonFinite when it is NaN or infinite, long before a long epoch's end.
        What is given at the end may still be such.
        """


class NoNumber(ValueError):
    """A metric came out as something that is no number."""


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as plain floats; raise NoNumber, naming each that is none (None, text, complex, several numbers).

    A metric may be several with names of their own, in a dictionary.
    """
    found: dict[str, float] = {}
    wrong = []
    for name, value in metrics.items():
        try:
            if isinstance(value, Mapping):
                found |= numbers(value)
                continue
            found[name] = float(value)
        except (TypeError, ValueError):
            wrong.append(f"the metric {name!r} gave {_shown(value)}, where one number is expected{_mend(value)}")
    if wrong:
        raise NoNumber("\n".join(wrong))
    return found


def _mend(value: Any) -> str:
    several = math.prod(getattr(value, "shape", ())) > 1
    return '; F1Score and FBetaScore give one number for all classes by average="macro"' if several else ""


def _shown(value: Any) -> str:
    return "None" if value is None else f"{reprlib.repr(value)} ({type(value).__name__})"


def learning_rate(model: Any) -> dict[str, float]:
    """The optimizer's learning rate for its next step, as a metric; none of several optimizers, each with its own."""
    import keras

    match updating(model.optimizer):
        case [optimizer]:
            return {"learning_rate": float(keras.ops.convert_to_numpy(optimizer.learning_rate))}
    return {}
