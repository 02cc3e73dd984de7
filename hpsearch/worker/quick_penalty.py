"""Has L1 and L2 penalties of weights, and their gradients, made in fewer passes over the weights than Keras's take.

Keras squares and sums, and TensorFlow makes the gradient of each operation in turn, out of arrays that hold one factor
throughout. Here the sum of squares is one kernel, and a gradient one product. The mathematics is the same.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def tracing(model: Any) -> Iterator[None]:
    """Within: a graph that is traced penalises the weights so. Afterwards their regularizers are as before."""
    with ExitStack() as stack:
        for weights in filter(_fits, model.trainable_weights):
            stack.callback(setattr, weights, "regularizer", weights.regularizer)
            weights.regularizer = _quick(weights.regularizer)
        yield


def _fits(weights: Any) -> bool:
    """Whether the regularizer is Keras's very own (a subclass may do otherwise), and of the kind."""
    from keras import regularizers

    kinds = {regularizers.L1, regularizers.L2, regularizers.L1L2}
    return weights.dtype == "float32" and type(weights.regularizer) in kinds


def _quick(regularizer: Any) -> Callable[[Any], Any]:
    import tensorflow as tf

    l1, l2 = (float(getattr(regularizer, name, 0)) for name in ("l1", "l2"))

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def absolute(weights: Any) -> Any:
        return l1 * tf.reduce_sum(tf.abs(weights)), lambda upstream: (upstream * l1) * tf.sign(weights)

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def squared(weights: Any) -> Any:
        return 2 * l2 * tf.nn.l2_loss(weights), lambda upstream: (upstream * 2 * l2) * weights  # it halves the sum

    def penalty(variable: Any) -> Any:
        weights = tf.convert_to_tensor(variable.value)
        terms = [term(weights) for term, factor in ((absolute, l1), (squared, l2)) if factor]
        return tf.add_n(terms) if terms else tf.zeros(())

    return penalty
