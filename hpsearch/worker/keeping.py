"""Writes a model to be used later, and makes sure that it is the same one that is read from its file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.worker.failing import EXHAUSTED
from hpsearch.worker.model_reading import read_model

WHERE = "model.build"
ASKED = 32  # images
SLACK = 0.02  # of the largest output, by which another may differ: a card may compute it in another way
BY_NAME = """name functions that Keras has, such as activation="softmax" in place of tf.nn.softmax; and
  register those of your own with @keras.saving.register_keras_serializable()"""
REGISTER = """register layers of your own with @keras.saving.register_keras_serializable(), in place of Lambda layers;
  those that are made with values need a get_config, too"""
WHOLE = """let a layer of your own give by get_config each value that it is made with, and make its variables by
  add_weight: what is not among these is in no file"""


class NotKept(ExperimentRefused):
    """A model's file does not hold it."""


def keep(model: Any, file: Path, images: Any, *, wary: bool = False) -> None:
    """Write the model as a `.keras` file; raise NotKept unless what is read from it answers alike.

    Both are asked for the first of `images` (uint8, rows × height × width). What Keras's own parts are made with comes
    back with them, so that a model of nothing else is only read, unless one is `wary`. What it was compiled with is
    left out: nobody reads it, and a loss or a schedule of a person's own may not know how it is made.
    """
    from hpsearch.worker.judging import outputs

    images = images[:ASKED]
    given = outputs(model, images) if wary or own_kinds(model) else None
    try:
        with _uncompiled(model):
            model.save(file)
        copy = read_model(file)
        same = given is None or _alike(given, outputs(copy, images))
    except Exception as error:  # an own layer may raise anything
        raise _of_file(error) from error
    if not same and _alike(given, outputs(model, images)):  # else it draws numbers
        what = "the model that is read from its file answers otherwise than the one that was written"
        raise NotKept([Mistake(WHERE, what, WHOLE)])


def own_kinds(model: Any) -> set[str]:
    """The layers' classes and functions that are not Keras's own, of a model and all within it, by their names.

    Raise NotKept where one has no words for itself.
    """
    import keras

    try:
        with _uncompiled(model):
            return _own(keras.saving.serialize_keras_object(model))
    except Exception as error:
        raise _of_file(error) from error


def _own(config: Any) -> set[str]:
    if isinstance(config, list | tuple):
        return set().union(*map(_own, config))
    if not isinstance(config, dict):
        return set()
    module, name, inner = (config.get(key) for key in ("module", "class_name", "config"))
    own = name == "__lambda__" or (name and module and module.partition(".")[0] != "keras")
    found = {f"{module} {name} {inner if isinstance(inner, str) else ''}"} if own else set()
    return found.union(*map(_own, config.values()))


@contextmanager
def _uncompiled(model: Any) -> Iterator[None]:
    """Within: the model has nothing to say of what it is compiled with."""
    model.get_compile_config = dict
    try:
        yield
    finally:
        del model.get_compile_config


def _alike(one: Any, other: Any) -> bool:
    import numpy as np

    return one.shape == other.shape and not np.abs(one - other).max() > SLACK * np.abs(one).max()


def _of_file(error: Exception) -> BaseException:
    """What to raise for an error on the way to a model's file and back: NotKept, unless there was no room."""
    first = error.__cause__ or error
    if isinstance(first, NotKept | MemoryError) or getattr(first, "errno", None) or type(first).__name__ == EXHAUSTED:
        return first
    told = _without_config(str(first))
    mend = BY_NAME if told.startswith("Could not locate function") else REGISTER
    return NotKept([Mistake(WHERE, f"the model cannot be saved and loaded again: {told}", mend)])


def _without_config(told: str) -> str:
    """What Keras says of a layer that it cannot bring back, without the whole model, and the way round its safety."""
    if "a `Lambda` layer whose `function` is a Python lambda" in told:
        return "a Lambda layer holds code, which is never run from a file"
    told = told.rpartition("Exception encountered: ")[2].partition(" Full object config: ")[0]
    return " ".join(told.partition("\n\nExample:")[0].split())
