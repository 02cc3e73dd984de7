"""Imports TensorFlow in the process that all others are forked from; importing this module is its whole work.

`failure` keeps what went wrong, because multiprocessing swallows an ImportError and dies of any other.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from hpsearch.worker.tether import die_with_parent, settle


@contextmanager
def _silence() -> Iterator[None]:
    """TensorFlow's C++ parts write to file descriptor 2 before anyone can tell them not to."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _import_all() -> None:
    for module in ("tensorflow", "keras", "keras_tuner", "hpsearch.worker.fit"):
        import_module(module)
    import_module("absl.logging").set_verbosity("error")


settle()
die_with_parent()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
failure = ""
with _silence():
    try:
        _import_all()
    except Exception as error:  # noqa: BLE001 - whatever it is, a fresh process tells it to the person
        failure = f"{type(error).__name__}: {error}"
