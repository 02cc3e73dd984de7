"""Finds metrics that say something else than their names: a warning, as those of `doubting`."""

from collections.abc import Iterator
from typing import Any

from hpsearch.errors import Mistake
from hpsearch.worker import loops, trying
from hpsearch.worker.rows import fitted
from hpsearch.worker.task import Task

WHERE = "model.build"


def accuracies(model: Any, task: Task) -> Iterator[Mistake]:
    """The accuracies of a model that was trained, which are none.

    Quiet where the model has a step of its own, which may make other labels or outputs for its metrics.
    """
    if not loops.own_methods(model):
        yield from _of_class_numbers(model, task)


def _of_class_numbers(model: Any, task: Task) -> Iterator[Mistake]:
    """One for one-hot labels: in class numbers it looks for the greatest of a batch, and no shape betrays it."""
    import keras

    if fitted(trying.rows_of_noise(task, task.classes), model).one_hot:
        return
    for metric in _means_of(keras.metrics.categorical_accuracy, model):
        what = f"the metric {metric.name!r} takes one-hot labels and gets class numbers: what it says means nothing"
        yield Mistake(WHERE, what, "name 'accuracy' in its place, by which Keras takes the one that fits the labels")


def _means_of(function: Any, model: Any) -> list[Any]:
    """The compiled metrics that are the mean of this function of Keras's, be it by a class or a name of it."""
    compiled = model._compile_metrics  # noqa: SLF001  # model.metrics has those of layers, too
    return [
        metric
        for metric in (compiled.metrics if compiled else ())
        if getattr(metric, "_fn", None) is function and type(metric).__module__.startswith("keras.")
    ]
