"""Measures which share of one core's matrix-product speed the training loop reaches, by width and batch size.

python benchmarks/matrix.py

Only the products of the forward and backward pass count as work; Adam's updates, activations, the loss, metrics and
the gathering of images cost time and count for nothing. The measure is a product of two 2048 × 2048 float32 matrices
through TensorFlow on the same one thread, taken in turn with the training.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import reporting
from hpsearch.orders import Slot
from hpsearch.worker import place

WIDTHS, BATCHES = (128, 256, 512, 1024), (32, 128, 512)
SIDE, ROWS, ROUNDS = 2048, 8192, 5
PIXELS, CLASSES = 784, 10
GOAL = (512, 128, 0.6)


def main() -> None:
    """Measure every width and batch size, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=reporting.RESULTS / "matrix.json")
    given = parser.parse_args()
    place.take(Slot())
    rows = [_row(width, batch) for width in WIDTHS for batch in BATCHES]
    plot = reporting.picture(given.out.with_suffix(".png"), lambda axes: _draw(axes, rows))
    reporting.Result(
        title="Share of one core's matrix-product speed in training",
        command=reporting.command(),
        predicted=f"{GOAL[2]:.0%} for {GOAL[0]} units at batch {GOAL[1]}",
        machine=reporting.machine(),
        columns=["units in each of two layers", "batch", "ms a step", "GFLOP/s of training", "of a product", "share"],
        rows=rows,
        plot=plot,
        words=["Adam, relu, one thread, images as uint8 in memory; the best of several epochs, taken in turn."],
    ).write(given.out)


def _row(width: int, batch: int) -> list[reporting.Cell]:
    loop, steps = _loop(width, batch), ROWS // batch
    product = _product()
    loop.epoch(1)
    best_step = best_product = float("inf")
    for number in range(2, ROUNDS + 2):
        best_product = min(best_product, reporting.seconds(product))
        best_step = min(best_step, reporting.seconds(partial(loop.epoch, number)) / steps)
    training, measure = _flops(width, batch) / best_step / 1e9, 2 * SIDE**3 / best_product / 1e9
    row: list[reporting.Cell] = [width, batch, 1000 * best_step, training, measure, training / measure]
    print(f"{width:>5} units, batch {batch:>3}: {1000 * best_step:7.2f} ms, {training:6.1f} of {measure:6.1f} GFLOP/s")
    return row


def _flops(width: int, batch: int) -> float:
    """Multiplications and additions of a step: forward, the weights' gradients, and what is carried back."""
    sizes = [(PIXELS, width), (width, width), (width, CLASSES)]
    forward = [2 * batch * rows * columns for rows, columns in sizes]
    return 2.0 * sum(forward) + sum(forward[1:])  # nothing is carried back to the images


def _loop(width: int, batch: int) -> Any:
    import keras

    from hpsearch.worker.loops import make_loop
    from hpsearch.worker.rows import Rows

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)
    rows = Rows(images, generator.integers(0, CLASSES, ROWS), np.arange(ROWS), np.arange(0))
    body = [keras.layers.Dense(width, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((PIXELS,)), *body, keras.layers.Dense(CLASSES, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return make_loop(model, rows, batch_size=batch, seed=0, loop="graph")


def _product() -> Any:
    import tensorflow as tf

    one, other = (tf.random.stateless_normal((SIDE, SIDE), (seed, 0)) for seed in (1, 2))

    def multiply() -> None:
        tf.linalg.matmul(one, other)[0, 0].numpy()

    return multiply


def _draw(axes: Any, rows: list[list[reporting.Cell]]) -> None:
    for batch in BATCHES:
        found = [(row[0], row[5]) for row in rows if row[1] == batch]
        axes.plot(*zip(*found, strict=True), marker="o", label=f"batch {batch}")
    axes.axhline(GOAL[2], color="grey", linewidth=0.8)
    axes.set(xlabel="units in each of two layers", ylabel="share of a product's speed", ylim=(0, 1), xscale="log")
    axes.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    axes.legend(frameon=False)


if __name__ == "__main__":
    main()
