"""Trains whole stretches of an epoch inside one TensorFlow graph, through the model's own train_step."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.worker import checkpoint, fused_norm, quick_penalty, split_bias
from hpsearch.worker.epochs import Tick, learning_rate, numbers, refuse_non_finite, validation_batch
from hpsearch.worker.fused import Fused
from hpsearch.worker.rows import Fitted, one_output
from hpsearch.worker.unkept import unkept

SECONDS = 1.0  # how long a stretch aims to be
FIRST = 16  # steps of the first stretch, before anything is known
GROWTH = 8  # a stretch is at most so many times longer than the last
WORD = 8  # bytes; TensorFlow 2.21 has no kernel that gathers uint8 on a card, but one for int64
NO_KERNEL = re.compile(r"(\w+) \(No registered")  # so TensorFlow names an operation that XLA does not have
ALIGNED = 64  # bytes; TensorFlow ends the process over memory that begins elsewhere (EIGEN_MAX_ALIGN_BYTES)


class NotCompiled(ValueError):
    """XLA cannot compile the model's steps."""


class Stretches:
    """One traced function that runs any stretch of steps over any order of rows."""

    def __init__(self, step: Callable[[Any], Any], batch_size: int) -> None:
        """Trace the graph, by a stretch of no steps: `get_concrete_function` would trace everything twice.

        `step` does its work on the rows whose numbers it is given, an int64 tensor.
        """
        self._batch_size, self._pace = batch_size, FIRST
        self._function = _looped(step, batch_size)
        self._call(np.zeros(0, np.int64), 0, 0)

    @property
    def graph(self) -> Any:
        """What was traced."""
        return self._function.get_concrete_function().graph

    def run(self, order: NDArray[np.int64], tick: Callable[[int, int], None]) -> None:
        """Go over the rows once, in this order, the last batch as small as it comes; tick between stretches."""
        done, steps = 0, -(-len(order) // self._batch_size)
        while done < steps:
            stop = min(steps, done + self._pace)
            began = time.monotonic()
            self._call(order, done, stop)
            self._learn_pace(stop - done, time.monotonic() - began)
            done = stop
            tick(done, steps)

    def _call(self, order: NDArray[np.int64], start: int, stop: int) -> None:
        import tensorflow as tf

        self._function(tf.constant(order, tf.int64), tf.constant(start), tf.constant(stop)).numpy()

    def _learn_pace(self, steps: int, seconds: float) -> None:
        self._pace = max(1, min(int(steps * SECONDS / max(seconds, 1e-6)), GROWTH * self._pace))


class Source:
    """The images and labels as tensors in memory, bytes as they are on disk."""

    def __init__(self, fitted: Fitted) -> None:
        """Take the arrays as they lie: where they are mapped from a file, all workers read the same memory."""
        rows = fitted.rows
        images = rows.images.reshape(len(rows.images), -1)
        self._images, self._labels = _tensor(words(images) if _on_card() else images), _tensor(rows.labels)
        self._weights = () if rows.weights is None else (_tensor(rows.weights),)
        self._shape, self._one_hot = fitted.shape, fitted.one_hot

    def batch(self, numbers: Any) -> tuple[Any, ...]:
        """These rows as float32 images in 0 … 1 and their labels; `numbers` is an int64 tensor."""
        import tensorflow as tf

        taken = read(tf.gather(self._images, numbers), prod(self._shape))
        images = tf.reshape(taken, (-1, *self._shape))
        labels = tf.gather(self._labels, numbers)
        return tf.cast(images, tf.float32) / 255.0, tf.one_hot(labels, self._one_hot) if self._one_hot else labels

    def weighed(self, numbers: Any) -> tuple[Any, ...]:
        """These rows as `batch` gives them, with their weights behind where there are any."""
        import tensorflow as tf

        return (*self.batch(numbers), *(tf.gather(weights, numbers) for weights in self._weights))


def words(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Each row of bytes as a row of int64, for a card; copied only where it has to be filled up."""
    if missing := -rows.shape[1] % WORD:
        rows = np.pad(rows, ((0, 0), (0, missing)))
    return rows.view(np.int64)


def read(rows: Any, size: int) -> Any:
    """So many bytes a row, as uint8, of a tensor of rows that are bytes or `words` of them."""
    import tensorflow as tf

    if rows.dtype == tf.uint8:
        return rows
    return tf.reshape(tf.bitcast(rows, tf.uint8), (-1, WORD * rows.shape[1]))[:, :size]


def _on_card() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def _tensor(array: NDArray[Any]) -> Any:
    """The array as a tensor: on the card if there is one, else without a copy where its memory can be shared.

    TensorFlow takes it over by DLPack, which knows no read-only memory: `Rows.open` maps files copy-on-write,
    and `.npy` files have their array at a multiple of 64 bytes.
    """
    import tensorflow as tf

    if _on_card():
        with tf.device("/GPU:0"):
            return tf.constant(array)
    if not array.flags.writeable or array.ctypes.data % ALIGNED or not array.flags.c_contiguous:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


class GraphLoop:
    """The quick loop: nothing but Keras's own step and metrics, without Python and input pipeline between steps.

    With `xla` each step is compiled, and fuses its updates by itself.
    """

    def __init__(self, model: Any, fitted: Fitted, batch_size: int, seed: int, *, xla: bool = False) -> None:
        """Take the compiled model, complete; both graphs are made here."""
        self.kind = "graph, XLA" if xla else "graph"
        self._model, self._rows, self._seed, self._xla = model, fitted.rows, seed, xla
        self._fused, source = Fused(model.optimizer), Source(fitted)
        _make_metrics(model, source.batch(fitted.rows.train[:1]))
        train, test = (_compiled(step) if xla else step for step in (model.train_step, model.test_step))
        with nullcontext() if xla else self._quicker():
            self._train = Stretches(lambda numbers: train(source.weighed(numbers)), batch_size)
        self.unkept = unkept(self._train.graph, [*checkpoint.variables(model), *model.metrics_variables])
        if len(self._rows.validation):
            larger = validation_batch(batch_size, fitted.shape)
            self._validate = Stretches(lambda numbers: test(source.batch(numbers)), larger)

    @contextmanager
    def _quicker(self) -> Iterator[None]:
        """Within: a graph that is traced does what Keras says by quicker ones of TensorFlow's kernels."""
        with ExitStack() as stack:
            stack.enter_context(self._fused.tracing())
            for quicker in (fused_norm, quick_penalty, split_bias):
                stack.enter_context(quicker.tracing(self._model))
            yield

    def epoch(self, number: int, *, tick: Tick | None = None) -> dict[str, float]:
        """Train and validate one epoch; see Loop."""
        order, steps = self._rows.order(self._seed, number), 0

        def heard(done: int, of: int) -> None:
            if tick:
                tick(done, of)

        def training(done: int, of: int) -> None:
            nonlocal steps
            steps = of
            refuse_non_finite(self._loss(), number, done, of)
            heard(done, of)

        def validating(_done: int, _of: int) -> None:
            heard(steps, steps)

        metrics = self._pass(self._train, order, training)
        if len(self._rows.validation):
            found = self._pass(self._validate, self._rows.validation, validating)
            metrics |= {f"val_{name}": value for name, value in found.items()}
        return metrics | learning_rate(self._model)

    def _loss(self) -> float:
        """The mean loss of the epoch so far; 0 of a model that keeps none."""
        return next((float(one.result()) for one in self._model.metrics if one.name == "loss"), 0.0)

    def _pass(
        self, stretches: Stretches, order: NDArray[np.int64], tick: Callable[[int, int], None]
    ) -> dict[str, float]:
        self._model.reset_metrics()
        with _compiling() if self._xla else nullcontext():
            stretches.run(order, tick)
        return numbers(self._model.get_metrics_result())


def _make_metrics(model: Any, row: tuple[Any, ...]) -> None:
    """Have Keras make the variables of its metrics, by one row; TensorFlow traces a graph that makes any twice."""
    import tensorflow as tf

    images, labels = row
    match getattr(model, "output_shape", None):
        case (_, *shape) if None not in shape:
            output = tf.zeros((1, *shape), model.compute_dtype)
        case _:
            given = one_output(model, tuple(images.shape[1:]))
            output = tf.zeros(given.shape, given.dtype)
    model.compute_metrics(images, labels, output)


def _compiled(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The step as XLA compiles it, once for each size of batch."""
    import tensorflow as tf

    compiled: Callable[[Any], Any] = tf.function(step, autograph=False, jit_compile=True, reduce_retracing=False)
    return compiled


@contextmanager
def _compiling() -> Iterator[None]:
    """Within: what TensorFlow raises where XLA cannot compile comes as NotCompiled."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        if "xla" not in error.message.lower():
            raise
        unknown = sorted(set(NO_KERNEL.findall(error.message)))
        why = f"it knows no {', '.join(unknown)}" if unknown else error.message
        message = f"XLA cannot compile the steps of this model: {why}\n  set train.compile to false"
        raise NotCompiled(message) from error


def _looped(step: Callable[[Any], Any], batch_size: int) -> Any:
    """Wrap a step into a function (order, start, stop) that runs steps start … stop - 1 and gives back stop."""
    import tensorflow as tf

    numbers, count = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)

    @tf.function(input_signature=[numbers, count, count], autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def stretch(order: Any, start: Any, stop: Any) -> Any:
        def body(index: Any) -> Any:
            step(order[index * batch_size : (index + 1) * batch_size])
            return index + 1

        return tf.while_loop(lambda index: index < stop, body, [start], parallel_iterations=1)[0]

    return stretch
