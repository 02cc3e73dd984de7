"""Measures what XLA and bfloat16 do to the speed of a training step on this machine."""

from collections.abc import Callable
from itertools import product
from typing import Any

ROWS, BATCH, PASSES = 512, 128, 3
VARIANTS = {"float32": ("float32", False), "XLA": ("float32", True), "bfloat16": ("mixed_bfloat16", False)}


def measure() -> dict[str, float]:
    """Milliseconds a step of 128 rows, keyed "dense XLA" and so on: two small networks, in each of three variants.

    Call it in a fresh process, placed as a worker is: it changes Keras's dtype policy.
    """
    return {
        f"{name} {variant}": 1000 * _seconds_a_step(network, *VARIANTS[variant])
        for (name, network), variant in product(NETWORKS.items(), VARIANTS)
    }


def _seconds_a_step(network: Callable[[], Any], precision: str, xla: bool) -> float:  # one of VARIANTS
    import time

    import keras
    import numpy as np

    from hpsearch.worker.loops import make_loop
    from hpsearch.worker.rows import Rows

    keras.config.set_dtype_policy(precision)
    numbers = np.arange(ROWS)
    rows = Rows(np.zeros((ROWS, 28, 28), np.uint8), numbers % 10, numbers, numbers[:0])
    loop = make_loop(network(), rows, batch_size=BATCH, seed=0, loop="graph", xla=xla)
    taken = []
    for number in range(1, PASSES + 2):  # the first compiles
        began = time.perf_counter()
        loop.epoch(number)
        taken.append(time.perf_counter() - began)
    return min(taken[1:]) * BATCH / ROWS


def _dense() -> Any:
    from keras import layers

    return _compiled([layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(128, "relu")])


def _convolutional() -> Any:
    from keras import layers

    first, second = (layers.Conv2D(filters, 3, padding="same", activation="relu") for filters in (16, 32))
    shape = layers.Reshape((28, 28, 1))
    return _compiled([shape, first, layers.MaxPooling2D(), second, layers.MaxPooling2D(), layers.Flatten()])


def _compiled(body: list[Any]) -> Any:
    import keras

    model = keras.Sequential([keras.Input((28, 28)), *body, keras.layers.Dense(10, "softmax", dtype="float32")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


NETWORKS = {"dense": _dense, "convolutional": _convolutional}
