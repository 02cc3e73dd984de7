"""Has the bias of a convolution get its gradient by a sum of its own, apart from that of the filters.

TensorFlow joins both gradients into one kernel of oneDNN's, which on one thread is slower than the two are one after
the other: by an eighth over many channels, four times over the one channel of grey images with 64 filters. It finds
the pair by its operations, and so does not see a bias whose gradient is a plain sum. The mathematics is the same.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from hpsearch.worker.layer_calls import replaced


def tracing(model: Any) -> AbstractContextManager[None]:
    """Within: a graph that is traced has such sums, for each layer that they fit; on cards, without oneDNN, none."""
    import tensorflow as tf

    return nullcontext() if tf.config.list_logical_devices("GPU") else replaced(model, _fits, _split)


def _fits(layer: Any) -> bool:
    """Whether the layer is Keras's very own (a subclass may do otherwise), with a bias behind its last axis."""
    import keras

    return (
        type(layer) is keras.layers.Conv2D
        and layer.built
        and layer.use_bias
        and layer.data_format == "channels_last"
        and layer.compute_dtype == layer.variable_dtype == "float32"
    )


def _split(layer: Any) -> Callable[..., Any]:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def biased(outputs: Any, bias: Any) -> Any:
        return tf.nn.bias_add(outputs, bias), lambda gradient: (gradient, tf.reduce_sum(gradient, (0, 1, 2)))

    def call(inputs: Any) -> Any:
        outputs = biased(layer.convolution_op(inputs, layer.kernel), tf.convert_to_tensor(layer.bias.value))
        return outputs if layer.activation is None else layer.activation(outputs)

    return call
