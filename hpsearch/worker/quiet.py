"""Imports TensorFlow, set up for the processor, without the lines that its C++ parts write by themselves."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

SURROUNDINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # TensorFlow turns oneDNN on by itself only on some processors, those with AVX-512 among them. On one without,
    # 5 × 5 convolutions and the products that carry a gradient back took about half the time with it.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
# Keras and KerasTuner import these where they are installed, which takes a third of the whole import, for uses
# that no worker has: plots, data frames as inputs, estimators, Gaussian processes. A person's own code may import
# them all the same.
DISPENSABLE = frozenset({"matplotlib", "pandas", "sklearn", "scipy.optimize", "scipy.stats"})
OURS = ("fit", "building", "checkpoint", "asking", "loops", "loop_fit", "loop_graph", "preflight", "warmup")


class _Absent(MetaPathFinder):
    """Says of some modules that they are not there."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self._names:
            raise ModuleNotFoundError(name=fullname)
        return None


@contextmanager
def _without(names: frozenset[str]) -> Iterator[None]:
    """Within: these modules cannot be imported, unless they are already."""
    finder = _Absent(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _kept_for_ever() -> Iterator[None]:
    """What is imported within is never looked through for garbage, as Keras has it done after each sample build.

    A forked child that looked would make its own copy of memory that all share.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def silence(*streams: int) -> Iterator[None]:
    """Within: nothing comes through these streams (1 is standard output, 2 standard error), C++ parts included."""
    kept, nowhere = {stream: os.dup(stream) for stream in streams}, os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


def import_all() -> str:
    """Import what every fit needs; give what went wrong in words, or "" if nothing did."""
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    with silence(2), _kept_for_ever():
        try:
            with _without(DISPENSABLE):
                for module in ("tensorflow", "keras", "keras_tuner"):
                    import_module(module)
            for module in OURS:
                import_module(f"hpsearch.worker.{module}")
            import_module("absl.logging").set_verbosity("error")
        except Exception as error:  # noqa: BLE001 - whatever it is, the person is told of it
            told: BaseException = error
            if str(error).startswith("Traceback"):  # TensorFlow writes a whole one into the words of its own error
                told = error.__context__ or error
            return f"{type(told).__name__}: {told}"
    return ""
