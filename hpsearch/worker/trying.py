"""Trains a sample model for one step on images of noise, as its trials will be trained."""

from typing import TYPE_CHECKING, Any

from hpsearch.worker.finding import Build, own_fit
from hpsearch.worker.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.worker.rows import Rows


def one_step(build: Build, hp: Any, model: Any, *, validates: bool = True) -> dict[str, float]:
    """Train a model that was just built with this `hp` on an image a class; give its metrics, raise what it raises."""
    from hpsearch.worker import loops
    from hpsearch.worker.own_fit import Training, train

    rows = rows_of_noise(hp.task, validates=validates)
    model.run_eagerly = True  # one step is sooner done than traced
    own = own_fit(build)
    if own is None:
        return loops.make_loop(model, rows, batch_size=hp.task.classes, seed=0, loop="fit").epoch(1)
    heard = _OneEpoch()
    train(own, hp, Training(model, loops.fitted(rows, model), hp.task.classes, hp.task.epochs, 0), heard)
    return heard.metrics


def rows_of_noise(task: Task, *, validates: bool = True) -> "Rows":
    """Rows to train and, unless told otherwise, to validate on."""
    import numpy as np

    from hpsearch.worker.rows import Rows

    classes = np.arange(task.classes)
    return Rows(images_of_noise(task), classes, classes, classes if validates else classes[:0])


def images_of_noise(task: Task) -> "NDArray[np.uint8]":
    """An image a class: of blank ones, a model that divides by a maximum would make what is no number."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (task.classes, *task.image_shape), np.uint8)


class _OneEpoch:
    """Listens to a HyperModel's own fit until its first epoch has ended."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self._over = False

    def begun(self, *, exact: bool, batch_size: int) -> int:  # noqa: ARG002  see own_fit.Listener
        return 0

    def ended(self, metrics: dict[str, float], *, exact: bool) -> None:  # noqa: ARG002  the same
        self.metrics, self._over = metrics, True

    def more(self) -> bool:
        return not self._over

    def tick(self, step: int, steps: int) -> None:
        pass
