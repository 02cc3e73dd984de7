"""Measures what XLA and bfloat16 do to the speed of a training step on this machine."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Speeds = dict[str, dict[str, tuple[float, float]]]  # by variant and network, milliseconds a step: plain, and in it

ROWS, BATCH, PASSES = 512, 128, 3
WORTH = 0.9  # of the time without; what gains less than a tenth is not worth another rounding
PLAIN = ("float32", False)
VARIANTS = {"XLA": ("float32", True), "bfloat16": ("mixed_bfloat16", False)}


def measure(variants: Iterable[str]) -> Speeds:
    """Milliseconds a step of 128 rows in each of these VARIANTS, beside plain steps of the same two small networks.

    {"XLA": {"dense": (5.0, 5.5)}}: where one network gains too little, the next, which takes longer, is left out.
    Call it in a fresh process, placed as a worker is: it changes Keras's dtype policy.
    """
    plain = cache(lambda name: _milliseconds(name, *PLAIN))
    return {variant: _beside(plain, variant) for variant in variants}


def pays(measured: Mapping[str, tuple[float, float]]) -> bool:
    """Whether a variant makes every kind of network faster by a tenth or more."""
    return all(taken < WORTH * plain for plain, taken in measured.values())


def _beside(plain: Callable[[str], float], variant: str) -> dict[str, tuple[float, float]]:
    measured: dict[str, tuple[float, float]] = {}
    for name in NETWORKS:
        if pays(measured):
            measured[name] = plain(name), _milliseconds(name, *VARIANTS[variant])
    return measured


def _milliseconds(name: str, precision: str, xla: bool) -> float:  # of NETWORKS; one of VARIANTS
    import time

    import keras
    import numpy as np

    from hpsearch.worker.loops import make_loop
    from hpsearch.worker.rows import Rows

    keras.config.set_dtype_policy(precision)
    numbers = np.arange(ROWS)
    rows = Rows(np.zeros((ROWS, 28, 28), np.uint8), numbers % 10, numbers, numbers[:0])
    loop = make_loop(NETWORKS[name](), rows, batch_size=BATCH, seed=0, loop="graph", xla=xla)
    taken = []
    for number in range(1, PASSES + 2):  # the first compiles
        began = time.perf_counter()
        loop.epoch(number)
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken[1:]) * BATCH / ROWS


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
