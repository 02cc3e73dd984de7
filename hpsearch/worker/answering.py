"""Holds one model and answers for it: raw images come in, probabilities go out, until nobody asks any more.

What comes back is bytes, and nothing that would have to be unpickled: the process may hold a model of anybody's.
"""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpsearch import machine
from hpsearch.errors import HpsearchError, first_line
from hpsearch.orders import Slot
from hpsearch.worker import place
from hpsearch.worker.bounded import limit_memory, limited_time
from hpsearch.worker.quiet import silence

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np
    from numpy.typing import NDArray

    Read = Callable[[NDArray[np.uint8]], Any]

DONE, FAILED = b"+", b"-"  # how an answer begins; float32 values follow, or UTF-8 text
MEMORY = 4_000_000_000  # bytes beyond what the libraries take
SECONDS = 60.0  # of each processor, for one answer
PROBES = 64  # images by which logits are told from probabilities
PROBE_BYTES = 128_000_000  # that they take together, where one alone does not take more
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY", "1"  # else ONNX Runtime 1.31 tells Microsoft of its use, by HTTPS
Kind = Literal["study", "keras", "onnx", "litert"]


@dataclass(frozen=True)
class Source:
    """A file of a model, and what it is: a study's own (which may need the project's layers), or one of an export."""

    kind: Kind
    file: Path
    root: Path | None = None
    build: str = ""


def answer(connection: "Connection[Any, Any]", sources: Sequence[Source], shape: tuple[int, int], classes: int) -> None:
    """Load the first source that can be; say so, or why none can. Then answer for batch after batch.

    A batch comes as bytes, uint8 of rows × shape, and goes as float32 of rows × classes.
    """
    import numpy as np

    os.dup2(2, 1)  # standard output belongs to the command's answers
    try:
        read = _loaded(sources, shape)
        _checked(read(_probes(shape, 1)), 1, classes)
    except Exception as error:  # noqa: BLE001  # it is told on the other side
        connection.send_bytes(FAILED + _words(error).encode(errors="replace"))
        return
    connection.send_bytes(DONE)
    while True:
        try:
            images = np.frombuffer(connection.recv_bytes(), np.uint8).reshape(-1, *shape)
        except EOFError:
            return
        connection.send_bytes(_answered(read, images, classes))


def _answered(read: "Read", images: "NDArray[np.uint8]", classes: int) -> bytes:
    try:
        with limited_time(SECONDS * (os.cpu_count() or 1)):
            return DONE + _checked(read(images), len(images), classes).tobytes()
    except Exception as error:  # noqa: BLE001  # the same
        return FAILED + _words(error).encode(errors="replace")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, HpsearchError) else f"{type(error).__name__}: {first_line(str(error))}"


def _checked(outputs: Any, rows: int, classes: int) -> "NDArray[np.float32]":
    """The model's answer, if it gives every class of every image a number; else raise ValueError."""
    import numpy as np

    given = np.asarray(outputs, np.float32)
    if given.shape != (rows, classes):
        message = f"the model gives shape {given.shape} for {rows} images of {classes} classes"
        raise ValueError(message)
    if not np.isfinite(given).all():
        message = "the model gives values that are no numbers"
        raise ValueError(message)
    return given


def _loaded(sources: Sequence[Source], shape: tuple[int, int]) -> "Read":
    """A function of the first source that can be loaded here; raise what the first one raised if none can."""
    loaders = {"study": _study, "keras": _keras, "onnx": _onnx, "litert": _litert}
    failures = []
    for source in sources:
        try:
            return loaders[source.kind](source, shape)
        except Exception as error:  # noqa: BLE001  # the runtimes have classes of their own for what they do not like
            failures.append(error)
    raise failures[0]


def _study(source: Source, shape: tuple[int, int]) -> "Read":
    """A study's own model, wrapped so that it takes raw images and gives probabilities."""
    from hpsearch.worker.model_reading import read_model
    from hpsearch.worker.own_layers import own_layers
    from hpsearch.worker.raw_model import raw_model

    place.take(Slot(threads=0))
    with own_layers(source.root, source.build) if source.root else nullcontext():
        model = read_model(source.file)
    return _graph(raw_model(model, _probes(shape, PROBES)))


def _keras(source: Source, _shape: tuple[int, int]) -> "Read":
    from hpsearch.worker.model_reading import read_model

    place.take(Slot(threads=0))
    return _graph(read_model(source.file))


def _graph(model: Any) -> "Read":
    """The model as a graph for any number of images."""
    import tensorflow as tf

    limit_memory(MEMORY)
    called = tf.function(lambda images: model(images, training=False), autograph=False, reduce_retracing=True)
    return lambda images: called(tf.constant(images)).numpy()


def _onnx(source: Source, _shape: tuple[int, int]) -> "Read":
    os.environ.setdefault(*NO_TELEMETRY)
    import onnxruntime

    limit_memory(MEMORY)
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.cores()  # else a thread for each core of the machine, whosever it is
    session = onnxruntime.InferenceSession(source.file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _litert(source: Source, shape: tuple[int, int]) -> "Read":
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    limit_memory(MEMORY)
    with silence(2):
        interpreter = Interpreter(str(source.file), num_threads=machine.cores())
    given, gives = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = 0

    def read(images: "NDArray[np.uint8]") -> Any:
        nonlocal rows
        if len(images) != rows:
            rows = len(images)
            interpreter.resize_tensor_input(given, (rows, *shape))
            with silence(2):
                interpreter.allocate_tensors()
        interpreter.set_tensor(given, images)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(gives))

    return read


def _probes(shape: tuple[int, int], most: int) -> "NDArray[np.uint8]":
    """Images of noise, from full ones to empty ones; fewer of large ones, and never more memory than they take."""
    import numpy as np

    noise = np.random.default_rng(0)
    probes = np.empty((max(1, min(most, PROBE_BYTES // math.prod(shape))), *shape), np.uint8)
    for probe, power in zip(probes, np.geomspace(0.1, 30, len(probes)), strict=True):
        for row in probe:
            row[:] = 255 * noise.random(len(row)) ** power
    return probes
