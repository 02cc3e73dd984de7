"""Times the graph loop against Keras's model.fit side by side, on one thread, and a checkpoint's save and load."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import reporting
from hpsearch.worker import checkpoint
from hpsearch.worker.loops import make_loop
from hpsearch.worker.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, EPOCHS = 12_000, 3


def main() -> None:
    """Print milliseconds a step, warmed up, the best of a few epochs taken in turn."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = _rows()
    for batch_size in (32, 128):
        _compare(rows, batch_size)
    _time_checkpoint()


def _rows() -> Rows:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)
    return Rows(images, generator.integers(0, 10, ROWS), np.arange(ROWS), np.arange(0))


def _mlp() -> Any:
    body = [keras.layers.Dense(units, activation="relu") for units in (256, 128)]
    model = keras.Sequential([keras.layers.Input((784,)), *body, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _compare(rows: Rows, batch_size: int) -> None:
    graph = make_loop(_mlp(), rows, batch_size=batch_size, seed=0, loop="graph")
    ours = make_loop(_mlp(), rows, batch_size=batch_size, seed=0, loop="fit")
    stock, images = _mlp(), (rows.images.reshape(ROWS, -1) / np.float32(255)).astype(np.float32)
    passes: dict[str, Callable[[], Any]] = {
        "graph": lambda: graph.epoch(1),
        "our fit loop": lambda: ours.epoch(1),
        "model.fit": lambda: stock.fit(images, rows.labels, batch_size=batch_size, verbose=0),
    }
    first = {name: reporting.seconds(run) for name, run in passes.items()}
    rounds = [{name: reporting.seconds(run) for name, run in passes.items()} for _ in range(EPOCHS)]
    best = {name: min(taken[name] for taken in rounds) for name in passes}
    steps = -(-ROWS // batch_size)
    for name, seconds in best.items():
        print(
            f"batch {batch_size:>3}  {name:<12}  {1000 * seconds / steps:6.2f} ms a step"
            f"  {seconds / best['model.fit']:5.2f} × model.fit  {first[name] - seconds:5.2f} s more in the first epoch"
        )


def _time_checkpoint() -> None:
    model = _mlp()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        saving = min(reporting.seconds(lambda: checkpoint.save(path, model, {"epoch": 1})) for _ in range(5))
        loading = min(reporting.seconds(lambda: checkpoint.load(path)) for _ in range(5))
        size = path.stat().st_size / 1e6
        print(f"checkpoint of {size:.1f} MB: {1000 * saving:.1f} ms saved, {1000 * loading:.1f} ms loaded")


if __name__ == "__main__":
    main()
