"""Finds metrics that say something else than their names: a warning, as those of `doubting`."""

from collections.abc import Iterator
from typing import Any

from hpsearch.errors import Mistake
from hpsearch.worker import judging, loops, trying
from hpsearch.worker.rows import fitted
from hpsearch.worker.task import Task

WHERE = "model.build"


def accuracies(model: Any, task: Task, images: Any) -> Iterator[Mistake]:
    """The accuracies of a model that was trained, which are none; `images` are uint8, rows × height × width.

    Quiet where the model has a step of its own, which may make other labels or outputs for its metrics.
    """
    if not loops.own_methods(model):
        yield from _of_class_numbers(model, task)
        yield from _of_logits(model, images)


def _of_class_numbers(model: Any, task: Task) -> Iterator[Mistake]:
    """One for one-hot labels: in class numbers it looks for the greatest of a batch, and no shape betrays it."""
    import keras

    if fitted(trying.rows_of_noise(task, 1), model).one_hot:
        return
    for metric in _means_of(keras.metrics.categorical_accuracy, model):
        what = f"the metric {metric.name!r} takes one-hot labels and gets class numbers: what it says means nothing"
        yield Mistake(WHERE, what, "name 'accuracy' in its place, by which Keras takes the one that fits the labels")


def _of_logits(model: Any, images: Any) -> Iterator[Mistake]:
    """One that parts two classes at 0.5, where all else here parts logits at 0: the finals, and a race."""
    import keras

    halving = [
        metric
        for metric in _means_of(keras.metrics.binary_accuracy, model)
        if metric._fn_kwargs.get("threshold", judging.HALF) == judging.HALF  # noqa: SLF001  # a function has no other
    ]
    if halving and _ends_in_a_logit(model, images):
        name = halving[0].name
        what = f"the metric {name!r} parts the two classes at 0.5, and the finals part a number of any size at 0"
        mend = f"let the model end in sigmoid, or name keras.metrics.BinaryAccuracy(threshold=0.0, name={name!r})"
        yield Mistake(WHERE, what, mend)


def _ends_in_a_logit(model: Any, images: Any) -> bool:
    """Whether the model gives one number of any size: as a last layer without activation does, or as is seen."""
    import keras

    ends = getattr(model, "outputs", None)
    last = ends[0]._keras_history.operation if ends else None  # noqa: SLF001  # Keras's symbol of an output
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.linear:
        return bool(last.units == 1)
    given = judging.outputs(model, images)
    return bool(given.shape[-1] == 1 and judging.are_logits(given))


def _means_of(function: Any, model: Any) -> list[Any]:
    """The compiled metrics that are the mean of this function of Keras's, be it by a class or a name of it."""
    compiled = model._compile_metrics  # noqa: SLF001  # model.metrics has those of layers, too
    return [
        metric
        for metric in (compiled.metrics if compiled else ())
        if getattr(metric, "_fn", None) is function and type(metric).__module__.startswith("keras.")
    ]
