"""Imports TensorFlow, set up for the processor, without the lines that its C++ parts write by themselves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

SURROUNDINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # TensorFlow turns oneDNN on by itself only where there is AVX-512. Without, too, it doubles the speed of
    # convolutions and of the products that carry a gradient back (benchmarks/matrix.py).
    "TF_ENABLE_ONEDNN_OPTS": "1",
}


@contextmanager
def _silence() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def import_all() -> str:
    """Import what every fit needs; give what went wrong in words, or "" if nothing did."""
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    with _silence():
        try:
            for module in ("tensorflow", "keras", "keras_tuner", "hpsearch.worker.fit"):
                import_module(module)
            import_module("absl.logging").set_verbosity("error")
        except Exception as error:  # noqa: BLE001 - whatever it is, the person is told of it
            return f"{type(error).__name__}: {error}"
    return ""
