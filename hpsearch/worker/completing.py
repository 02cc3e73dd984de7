"""Completes a compiled model: makes the variables that its first step of training would make, and takes no step.

Keras makes what only `train_step` or `compute_loss` reaches when they first come to it, and the optimizer's variables
for those weights that it is first given. A checkpoint of them can only be restored into a model that has them all.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hpsearch.worker.checkpoint import left_out, variables
from hpsearch.worker.unkept import unkept

STEP = ("train_step", "compute_loss")


def complete(model: Any, batch: Sequence[NDArray[np.generic]], *, optimizer: bool = True) -> str:
    """Build the layers of a model that was called before, and its optimizer if wanted, as a step would.

    `batch` is what such a step is given: images, labels, perhaps weights, of any number of rows.
    The optimizer stays unbuilt, and would take any weights, where nobody can say which it will be given: where a step
    cannot be made into a graph beforehand, and there are layers that are not built.
    Where a graph was made, give what that shows by `unkept`; else "".
    """
    if not model.compiled:
        return ""
    own = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in STEP)
    traced = own or not _is_built(model)
    weights, graph = _given(model, batch) if traced else (model.trainable_variables, None)
    if optimizer and weights is not None and not model.optimizer.built:
        model.optimizer.build(weights)
    return unkept(graph, [*variables(model), *model.metrics_variables]) if graph and model.optimizer.built else ""


def _is_built(model: Any) -> bool:
    return all(layer.built for layer in model._flatten_layers())  # noqa: SLF001  # which gives nested ones, too


def _given(model: Any, batch: Sequence[NDArray[np.generic]]) -> tuple[list[Any] | None, Any]:
    """The weights that a step gives to the optimizer, and the step's graph, which builds the layers, if there is one.

    Keras's StatelessScope would not do: weights that are made within it have no gradients yet. Of other optimizers
    than the compiled one, some would be left half built.
    """
    import tensorflow as tf

    given: dict[int, Any] = {}
    known, ended = _is_built(model), False
    graph = tf.__internal__.FuncGraph("step")

    def apply(_grads: Any, trainable_variables: Any = ()) -> None:
        given.update((id(one), one) for one in trainable_variables)

    if not model.run_eagerly and not left_out(model):
        with suppress(Exception), _applying(model.optimizer, apply), graph.as_default():
            model.train_step(tuple(tf.compat.v1.placeholder(one.dtype, (None, *one.shape[1:])) for one in batch))
            ended = True  # where it fails, it says why in training
    graph.variables = graph._watched_variables  # noqa: SLF001  # as TensorFlow does for the graphs of its functions
    weights = list(given.values()) if ended and given else model.trainable_variables if known or ended else None
    return weights, graph if ended else None


@contextmanager
def _applying(optimizer: Any, apply: Callable[..., None]) -> Iterator[None]:
    """Within: the optimizer applies gradients in this way, in graphs that no @tf.function keeps for later steps."""
    import tensorflow as tf

    own, eagerly = vars(optimizer).get("apply"), tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(run_eagerly=True)
    optimizer.apply = apply
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)
        del optimizer.apply
        if own:
            optimizer.apply = own
