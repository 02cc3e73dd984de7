"""Parts for the real program that need no TensorFlow: an executor whose trials are quick, and a tiny data set.

With this folder on PYTHONPATH, `workers.kind = "fake"` and `data.source = "fake"` are found as any other parts are.
Everything but the training itself is real: processes, pipes, the loop over epochs, checkpoints, the ledger.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hpsearch.executors.limits import Limits
from hpsearch.executors.local import Local
from hpsearch.files import make
from hpsearch.paths import cache
from hpsearch.protocols import Outline, Prepared, Progress
from hpsearch.worker import starting
from hpsearch.worker.preflight import Preflight

CLASSES = ("a", "b")
ROWS = 400

starting.PRELOAD = "fake_training"  # in place of the module that imports TensorFlow


class Dots:
    """Four hundred images of two by two dots."""

    def outline(self) -> Outline:
        return Outline(ROWS, len(CLASSES), (2, 2))

    def prepare(self, progress: Progress) -> Prepared:
        folder = cache() / "prepared" / "dots"
        for part in ("train", "test"):
            if not (folder / part / "labels.npy").exists():
                make(folder / part)
                np.save(folder / part / "images.npy", np.zeros((ROWS, 2, 2), np.uint8))
                np.save(folder / part / "labels.npy", np.arange(ROWS) % len(CLASSES))
        return Prepared(folder, "dots", "0" * 64, CLASSES, (2, 2), ROWS, ROWS, "official")


class Fake(Local):
    """The local executor, whose processes train by a formula."""

    def __init__(self, count: int = 2, limits: Limits | None = None) -> None:
        super().__init__(count, limits=limits)

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:
        """Answer for the two functions that would need TensorFlow."""
        match function.__name__:
            case "fly":
                from fake_space import SPACE

                return Preflight(SPACE, ("searchspace/tiny.py",))
            case "read_test":
                *_, models = arguments
                return [(np.arange(ROWS) % len(CLASSES), np.ones(ROWS, np.float32)) for _ in models]
        return super().call(function, *arguments, patience=patience)
