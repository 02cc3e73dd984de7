"""Trains through Keras's own model.fit, one epoch at a time, for models that the graph loop would not do justice."""

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hpsearch.worker.epochs import Tick, learning_rate, numbers, refuse_non_finite, validation_batch
from hpsearch.worker.optimizers import updating
from hpsearch.worker.rows import Fitted

Batch = Callable[[NDArray[np.int64]], tuple[NDArray[Any], ...]]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Rows in a given order, batch by batch, the last as small as it comes."""

    def __init__(self, batch: Batch, order: NDArray[np.int64], batch_size: int) -> None:
        """Keep the order, which may be another in another epoch; images are read by `batch` when their turn comes."""
        super().__init__()
        self._batch, self.order, self._size = batch, order, batch_size

    def __len__(self) -> int:
        """The number of batches."""
        return math.ceil(len(self.order) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        """The batch of this number, from 0."""
        return self._batch(self.order[index * self._size : (index + 1) * self._size])


class Ticking(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Ticks about once a second, and keeps the raw weights that model.fit replaces by their average at its end."""

    def __init__(self, tick: Tick | None, epoch: int, steps: int) -> None:
        """Tick over an epoch, of this number, of so many steps."""
        super().__init__()
        self._tick, self._epoch, self._steps, self._done, self._last = tick, epoch, steps, 0, time.monotonic()
        self.raw: list[NDArray[Any]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tick while training, and look at the loss where steps are left; after the last, all metrics are looked at."""
        self._done = batch + 1
        if self._is_time():
            if self._done < self._steps:
                refuse_non_finite(float((logs or {}).get("loss", 0.0)), self._epoch, self._done, self._steps)
            self._beat()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        """Tick while validating."""
        if self._is_time():
            self._beat()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        """Keep the weights where an optimizer will average them."""
        if any(getattr(optimizer, "use_ema", False) for optimizer in updating(self.model.optimizer)):
            self.raw = [keras.ops.convert_to_numpy(variable) for variable in self.model.trainable_variables]

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= 1

    def _beat(self) -> None:
        self._last = time.monotonic()
        if self._tick:
            self._tick(self._done, self._steps)


class FitLoop:
    """The general loop: whatever Keras can train, on the same batches as the graph loop."""

    def __init__(self, model: Any, fitted: Fitted, batch_size: int, seed: int, reason: str, unkept: str) -> None:
        """Take the compiled model, complete, why it comes here, and what is known of its step; see Loop."""
        self.kind, self.unkept = f"fit: {reason}", unkept
        self._model, self._fitted, self._batch_size, self._seed = model, fitted, batch_size, seed

    def epoch(self, number: int, *, tick: Tick | None = None) -> dict[str, float]:
        """Train and validate one epoch; see Loop."""
        batches = Batches(self._fitted.weighed, self._fitted.rows.order(self._seed, number), self._batch_size)
        ticking = Ticking(tick, number, len(batches))
        history = self._model.fit(
            batches, shuffle=False, initial_epoch=number - 1, epochs=number, verbose=0,
            validation_data=self._validation(), callbacks=[ticking],
        )  # fmt: skip
        for variable, value in zip(self._model.trainable_variables, ticking.raw, strict=False):
            variable.assign(value)  # otherwise the next epoch would begin from the average
        metrics = numbers({name: values[-1] for name, values in history.history.items()})
        return metrics | learning_rate(self._model)

    def _validation(self) -> Batches | None:
        rows, size = self._fitted.rows.validation, validation_batch(self._batch_size, self._fitted.shape)
        return Batches(self._fitted.batch, rows, size) if len(rows) else None
