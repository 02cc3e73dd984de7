"""The same training by the graph loop and by model.fit."""

import keras
import numpy as np

from hpsearch.worker.loops import make_loop
from hpsearch.worker.rows import Rows


def last_epochs(layers, optimizer, size, epochs=3):
    """What the last epoch gives in each loop, for a classifier of images; `layers` and `optimizer` make theirs anew."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 4, 90)
    images = (generator.integers(0, 120, (90, size, size)) + 30 * labels[:, None, None]).astype(np.uint8)
    rows = Rows(images, labels, np.arange(70), np.arange(70, 90))
    return [_trained(rows, layers, optimizer, loop, epochs) for loop in ("graph", "fit")]


def _trained(rows, layers, optimizer, loop, epochs):
    keras.utils.set_random_seed(2)
    body = [keras.Input((*rows.images.shape[1:], 1)), *layers(), keras.layers.Flatten()]
    model = keras.Sequential([*body, keras.layers.Dense(4, activation="softmax")])
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    trained = make_loop(model, rows, batch_size=16, seed=1, loop=loop)
    return [trained.epoch(number) for number in range(1, epochs + 1)][-1]
