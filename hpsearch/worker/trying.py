"""Trains a sample model for an epoch on a few images of noise, as its trials will be trained."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hpsearch.worker.finding import Build, own_fit
from hpsearch.worker.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.worker.rows import Rows

FEW = 32  # rows, that do where there are more classes
MORE = 2  # rows than classes: as many as these, or a single one, fit wrongly shaped labels by being broadcast
DIVIDED = 10  # images a class that a HyperModel's own fit has, which may divide them among classes or folds


def one_epoch(
    build: Build, hp: Any, model: Any, *, weights: tuple[float, ...] = (), validates: bool = True
) -> dict[str, float]:
    """Train a model that was just built with this `hp`; give its metrics, raise what it raises.

    `weights` are those of the classes, if they have any.
    """
    if own := own_fit(build):
        heard = _Epochs(hp, 1)
        _train(own, model, heard, weights, validates=validates)
        return heard.metrics
    from hpsearch.worker import loops

    model.run_eagerly = True  # a few steps are sooner done than traced
    count = FEW if hp.task.classes > FEW else hp.task.classes + MORE
    rows = rows_of_noise(hp.task, count, weights, validates=validates)
    return loops.make_loop(model, rows, batch_size=hp.task.batch_size, seed=0, loop="fit").epoch(1)


def begin_fit(build: Build, hp: Any, model: Any, weights: tuple[float, ...], *, few: bool) -> None:
    """Call a HyperModel's own fit, if it has one, until its training begins: so far it may ask `hp` for more.

    One that only tells when an epoch has ended trains one; on a `few` rows where it need not have whole batches.
    """
    if own := own_fit(build):
        _train(own, model, _Epochs(hp, 0), weights, few=few)


def rows_of_noise(task: Task, count: int, weights: tuple[float, ...] = (), *, validates: bool = True) -> "Rows":
    """So many rows, of the last class and those before it, to train and, unless told otherwise, to validate on."""
    import numpy as np

    from hpsearch.worker.rows import Rows

    rows = np.arange(count)
    labels = task.classes - 1 - rows % task.classes
    weighed = np.asarray(weights, np.float32)[labels] if weights else None
    return Rows(images_of_noise(task, count), labels, rows, rows if validates else rows[:0], weighed)


def images_of_noise(task: Task, count: int = FEW) -> "NDArray[np.uint8]":
    """So many images: of blank ones, a model that divides by a maximum would make what is no number."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (count, *task.image_shape), np.uint8)


def _train(
    own: Callable[..., Any], model: Any, heard: "_Epochs", weights: tuple[float, ...], *,
    validates: bool = True, few: bool = False,
) -> None:  # fmt: skip
    from hpsearch.worker.own_fit import Training, train
    from hpsearch.worker.rows import fitted

    model.run_eagerly, task = True, heard.hp.task
    rows = rows_of_noise(task, _many(task, 0 if few else 2), validates=validates)
    train(own, heard.hp, Training(model, fitted(rows, model), task.batch_size, task.epochs, 0, weights), heard)


def _many(task: Task, batches: int) -> int:
    """How many rows an own fit has: so many batches and some of each class, but no more than it will train on."""
    from hpsearch.worker.rows import rows_at_once

    wanted = max(batches * task.batch_size, rows_at_once(DIVIDED * task.classes, task.image_shape))
    return max(task.classes, min(wanted, task.rows))


class _Epochs:
    """Listens to a HyperModel's own fit until so many epochs have ended."""

    def __init__(self, hp: Any, wanted: int) -> None:
        self.hp, self._wanted = hp, wanted
        self.metrics: dict[str, float] = {}

    def begun(self, *, exact: bool, batch_size: int, late: bool) -> int:  # noqa: ARG002  see own_fit.Listener
        self.hp.begun = True
        return 0

    def past(self) -> list[dict[str, float]]:
        return []

    def ended(self, metrics: dict[str, float], *, exact: bool) -> None:  # noqa: ARG002  the same
        self.metrics, self._wanted = metrics, self._wanted - 1

    def more(self) -> bool:
        return self._wanted > 0

    def tick(self, step: int, steps: int) -> None:
        pass
