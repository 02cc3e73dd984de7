"""What all peers share: the same rows, the same space, a plain model.fit, and a callback that notes each epoch."""

import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras_tuner import HyperParameters

from hpsearch.space import Parameter, Value, Values
from hpsearch.tuners.axis import axis
from hpsearch.worker.hp import AskingHyperParameters, to_keras_tuner
from hpsearch.worker.task import Task
from sides.job import Diary, Job


def use_threads(count: int) -> None:
    """Let TensorFlow use so many threads; call it before any model is made."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


@lru_cache(maxsize=1)
def rows(data: str, split: str) -> dict[str, Any]:
    """The arrays as keywords for model.fit: float32 images from 0 to 1, int64 labels, in memory once a process."""
    images, labels = (np.load(Path(data) / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    with np.load(split) as chosen:
        parts = [
            (images[at] / np.float32(255), np.asarray(labels[at])) for at in (chosen["train"], chosen["validation"])
        ]
    (x, y), validation = parts
    return {"x": x, "y": y, "validation_data": validation}


def how_to_fit(job: Job) -> dict[str, Any]:
    """The keywords for model.fit."""
    return {
        **rows(job.data, job.split),
        "batch_size": job.batch_size,
        "validation_batch_size": job.validation_batch,
        "epochs": job.epochs,
        "verbose": 0,
    }


def task(job: Job) -> Task:
    """What the space may know of the work."""
    return Task(job.image_shape, len(job.class_names), job.class_names, job.rows, job.epochs, job.batch_size)


def build(job: Job, hp: Any) -> Any:
    """Build and compile the model that `hp` chooses, after clearing away the one before."""
    keras.utils.clear_session()
    module, _, function = job.build.partition(":")
    return getattr(import_module(module), function)(hp)


def knowing(job: Job, values: Values) -> Any:
    """An `hp` that answers with these values."""
    hp = HyperParameters()
    hp.values.update(values)
    hp.task = task(job)
    return hp


def asking(job: Job, ask: Callable[[Parameter], Value]) -> Any:
    """An `hp` that asks for each value while the model is built."""
    return AskingHyperParameters(lambda asked: asked.default if asked.kind == "fixed" else ask(asked), task(job))


def suggested(trial: Any, asked: Parameter) -> Value:
    """Have an Optuna trial choose the value, over the same range in the same steps."""
    laid = axis(asked)
    return laid.value(laid.suggest(trial, asked.name))


def defaults(job: Job) -> dict[str, Any]:
    """The values that the space itself names, as parameters for Optuna's `enqueue_trial`."""
    chosen: dict[str, Any] = {}

    def take(asked: Parameter) -> Value:
        laid = axis(asked)
        point = laid.point(asked.default)
        choices = getattr(laid.distribution, "choices", None)
        chosen[asked.name] = point if choices is None else choices[point]
        return asked.default

    build(job, asking(job, take))
    return chosen


def drawn(seed: int, asked: Parameter) -> Value:
    """A random value by KerasTuner's own rule."""
    value: Value = to_keras_tuner(asked).random_sample(f"{seed}/{asked.name}")
    return value


class Noting(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Notes each epoch's validation accuracy, and hands it on to `hear` (epoch from 1, accuracy)."""

    def __init__(self, job: Job, hear: Callable[[int, float], None] | None = None) -> None:
        """KerasTuner copies callbacks for each trial, so nothing is held that cannot be copied."""
        super().__init__()
        self._diary, self._hear, self._trial = Diary(job.diary), hear, ""

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        """Give the trial a name of its own."""
        self._trial = secrets.token_hex(6)  # not by `random`, which a search may have seeded

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        accuracy = float(logs["val_accuracy"])
        configuration = getattr(self.model, "configuration", None)
        self._diary.note(
            "epoch", trial=self._trial, epoch=epoch + 1, val_accuracy=accuracy, configuration=configuration
        )
        if self._hear:
            self._hear(epoch + 1, accuracy)
