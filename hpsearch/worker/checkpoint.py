"""Keeps a fit on disk so exactly that it goes on bit for bit: weights, optimizer, every random state.

The file: a SHA-256 of what follows, the length of a JSON header (8 bytes, little-endian), the header
(state, and dtype and shape of every array), the arrays' bytes one after another. No pickle, no zip.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import FolderUnusable
from hpsearch.files import write_over
from hpsearch.worker.optimizers import updating

DIGEST = 32
LENGTH = 8


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: the caller's own state, and the values of every variable in Keras's order."""

    state: dict[str, Any]
    arrays: tuple[NDArray[Any], ...]


def save(path: Path, model: Any, state: Mapping[str, Any]) -> None:
    """Write the model (its optimizer built here if need be) with a state that JSON can hold, whole or not at all."""
    _write(path, variables(model), state)


def load(path: Path) -> Saved | None:
    """Read a checkpoint; None if there is none or if a single bit of it is not as it was written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return _parsed(content)


def restore(saved: Saved, model: Any) -> None:
    """Put a checkpoint back into a model of the same build; raise ValueError, touching nothing, if it is another."""
    _assign(variables(model), saved)


def save_weights(path: Path, model: Any, state: Mapping[str, Any] | None = None) -> None:
    """Write the weights alone (batch-norm statistics among them), with a state or none, whole or not at all."""
    _write(path, model.weights, state or {})


def load_weights(path: Path, model: Any) -> None:
    """Put weights back; raise ValueError if the file is missing, damaged, or another model's."""
    saved = load(path)
    if saved is None:
        message = f"{path}: these weights are missing or damaged"
        raise ValueError(message)
    _assign(model.weights, saved)


def left_out(model: Any) -> list[str]:
    """The attributes in which a model or its layers hold optimizers beside the compiled one.

    A checkpoint has nothing of these: they have no variables before their first step, which may be over any of the
    model's, so that a fit could not go on with them as they were.
    """
    import keras

    compiled = (model.optimizer, *updating(model.optimizer))
    return [
        name
        for layer in model._flatten_layers()  # noqa: SLF001  # which gives the model, too, and nested ones
        for name, value in vars(layer).items()
        if not name.startswith("_self_")  # TensorFlow's own list of the others
        and any(isinstance(one, keras.optimizers.Optimizer) and one not in compiled for one in _each(value))
    ]


def _each(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list() | tuple():
            return value
    return (value,)


def variables(model: Any) -> list[Any]:
    """All that a checkpoint of the model has, its optimizer built here if need be."""
    # Keras counts the states of SeedGenerators among `variables`, not among `weights`. A layer that draws without
    # a seed of its own uses the global generator, which has no public name. What an optimizer makes for itself while
    # a LossScaleOptimizer builds it (Nadam its product of momenta), Keras does not count among its variables.
    import keras
    from keras.src.random.seed_generator import global_seed_generator

    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    attributes = (value for one in updating(model.optimizer) for value in vars(one).values())
    uncounted = (value for value in attributes if isinstance(value, keras.Variable))
    found = [*model.variables, *model.optimizer.variables, global_seed_generator().state, *uncounted]
    return list({id(variable): variable for variable in found}.values())


def _write(path: Path, variables: Sequence[Any], state: Mapping[str, Any]) -> None:
    def fill(temporary: Path) -> None:
        digest = hashlib.sha256()
        with temporary.open("wb") as file:
            file.write(bytes(DIGEST))
            for part in _parts(variables, state):
                digest.update(part)
                file.write(part)
            file.seek(0)
            file.write(digest.digest())

    try:
        write_over(path, fill)
    except FolderUnusable as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        with suppress(OSError):  # a fit goes on when somebody deletes its folder; the study's is not made anew
            path.parent.mkdir(mode=0o700, exist_ok=True)
        write_over(path, fill)


def _parts(variables: Sequence[Any], state: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    """What the digest is of, piece by piece: of a large model, no more than one variable is in memory twice."""
    outline = [[np.dtype(variable.dtype).name, tuple(variable.shape)] for variable in variables]
    header = json.dumps({"state": dict(state), "arrays": outline}).encode()
    yield len(header).to_bytes(LENGTH, "little")
    yield header
    for variable in variables:
        yield np.asarray(variable).reshape(-1).view(np.uint8).data


def _parsed(content: bytes) -> Saved | None:
    body = memoryview(content)[DIGEST:]
    if len(content) < DIGEST + LENGTH or hashlib.sha256(body).digest() != content[:DIGEST]:
        return None
    start = LENGTH + int.from_bytes(body[:LENGTH], "little")
    header = json.loads(bytes(body[LENGTH:start]))
    arrays = []
    for name, shape in header["arrays"]:
        dtype, count = np.dtype(name), int(np.prod(shape, dtype=np.int64))  # TensorFlow's import makes bfloat16 known
        arrays.append(np.frombuffer(body, dtype, count, start).reshape(shape))
        start += count * dtype.itemsize
    return Saved(header["state"], tuple(arrays))


def _assign(variables: Sequence[Any], saved: Saved) -> None:
    is_ = [tuple(variable.shape) for variable in variables]
    was = [array.shape for array in saved.arrays]
    if is_ != was:
        other = next((pair for pair in zip(was, is_, strict=False) if pair[0] != pair[1]), (len(was), len(is_)))
        message = (
            f"the checkpoint is another model's: {len(was)} arrays for {len(is_)} variables; "
            f"the first that differs is {other[0]} for {other[1]}"
        )
        raise ValueError(message)
    for variable, array in zip(variables, saved.arrays, strict=True):
        variable.assign(array)
