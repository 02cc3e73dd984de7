"""Measures finished models on this machine: how large they are, how long they think, and what they read.

The models take turns, call by call, so that what else the machine does meets all of them alike.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hpsearch.worker.judging import BATCH_ROWS, predict
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.own_layers import own_layers
from hpsearch.worker.rows import image_shape, rows_at_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TOGETHER = 128  # images
CALLS, SECONDS, WARM_CALLS = 300, 3.0, 3  # at most so many calls of each model, in at most so many seconds of all


@dataclass(frozen=True)
class Measured:
    """What one model showed: its weights' number, the bytes of a file of it, and medians of milliseconds a call.

    The file is a `.keras` file without what only training needs, such as the optimizer's state.
    `predicted` (int64, rows) is what it reads on the test split, None unless that was asked for.
    """

    parameters: int
    bytes: int
    single_ms: float
    batch_ms: float
    predicted: "NDArray[np.int64] | None" = field(compare=False, default=None)


def measure(
    root: Path, builds: Sequence[str], data: Sequence[Path], files: Sequence[Path], read: Sequence[bool]
) -> list[Measured]:
    """Measure each `.keras` file, made by a project with these build functions, on images of its prepared data set.

    Only those marked in `read` are shown the test split; times are taken on training images.
    """
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of many graphs, but each model has its own
    with ExitStack() as stack:
        for build in dict.fromkeys(builds):
            stack.enter_context(own_layers(root, build))
        models = [read_model(file) for file in files]
    single, batch = (
        medians([_call(model, _sample(folder, most)) for model, folder in zip(models, data, strict=True)])
        for most in (1, MOST_TOGETHER)
    )
    predicted = [
        predict(model, _images(folder, "test"))[0] if wanted else None
        for model, folder, wanted in zip(models, data, read, strict=True)
    ]
    return [
        Measured(model.count_params(), _bytes(model), one, many, reads)
        for model, one, many, reads in zip(models, single, batch, predicted, strict=True)
    ]


def timed_together(shape: Sequence[int]) -> int:
    """How many images of a shape go through a model at once when that is timed: 128, or no more than are judged so."""
    return min(MOST_TOGETHER, rows_at_once(BATCH_ROWS, shape))


def so_many(images: "NDArray[np.uint8]", rows: int) -> "NDArray[np.uint8]":
    """The first of these images (rows × height × width), and again from the first on where there are fewer."""
    import numpy as np

    return np.asarray(images[np.arange(rows) % len(images)])


def _images(data: Path, part: str) -> "NDArray[np.uint8]":
    import numpy as np

    images: NDArray[np.uint8] = np.load(data / part / "images.npy", mmap_mode="r")
    return images


def _sample(data: Path, most: int) -> "NDArray[np.float32]":
    import numpy as np

    images = _images(data, "train")
    rows = min(most, timed_together(images.shape[1:]))
    return np.divide(so_many(images, rows), 255, dtype=np.float32)


def _bytes(model: Any) -> int:
    with TemporaryDirectory(prefix="hpsearch-") as folder:
        model.save(file := Path(folder) / "model.keras")
        return file.stat().st_size


def _call(model: Any, images: Any) -> Callable[[], object]:
    """A call of the model, as a graph, on images that are already where they are needed."""
    import tensorflow as tf

    graph = tf.function(lambda batch: model(batch, training=False), autograph=False)
    batch = tf.constant(images.reshape(-1, *image_shape(images.shape[1:], model)))
    return lambda: graph(batch).numpy()


def medians(calls: Sequence[Callable[[], object]]) -> list[float]:
    """The median of each call's milliseconds."""
    from statistics import median

    for call in calls:
        for _ in range(WARM_CALLS):
            call()
    took: list[list[float]] = [[] for _ in calls]
    end = time.monotonic() + SECONDS
    for _ in range(CALLS):
        for place, call in enumerate(calls):
            began = time.perf_counter()
            call()
            took[place].append(1000 * (time.perf_counter() - began))
        if time.monotonic() > end:
            break
    return [median(times) for times in took]
