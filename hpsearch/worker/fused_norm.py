"""Has batch normalisation of images train through TensorFlow's fused kernel, where its mathematics is Keras's own.

Keras writes it as a dozen operations, each a pass over memory. The kernel normalises by the same biased variance,
but reports the unbiased one (Bessel's n / (n - 1), tensorflow/core/kernels/fused_batch_norm_op.cc); Keras's moving
average takes the biased, so it is turned back. The kernel knows images with channels last, in float32.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from hpsearch.worker.layer_calls import replaced

IMAGES = 4  # the rank of rows × height × width × channels
LEAST = 1.001e-5  # cuDNN takes no smaller epsilon, and would take this one for it


def tracing(model: Any) -> AbstractContextManager[None]:
    """Within: a graph that is traced gets the kernel for each layer that it fits."""
    return replaced(model, _fits, _fused)


def _fits(layer: Any) -> bool:
    """Whether the layer is Keras's very own (a subclass may do otherwise), and does what the kernel does."""
    import keras

    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.input_spec.ndim == IMAGES
        and layer.axis in {-1, IMAGES - 1}
        and layer.compute_dtype == layer.variable_dtype == "float32"
        and layer.epsilon >= LEAST
        and not (layer.renorm or layer.synchronized)
    )


def _fused(layer: Any) -> Callable[..., Any]:
    import tensorflow as tf

    keras_call = layer.call

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if training is not True or mask is not None or not layer.trainable:
            return keras_call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        scale = layer.gamma.value if layer.scale else tf.ones(channels)
        offset = layer.beta.value if layer.center else tf.zeros(channels)
        nothing = tf.zeros(0)
        outputs, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=nothing, variance=nothing, epsilon=layer.epsilon
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        _follow(layer.moving_mean, mean, layer.momentum)
        _follow(layer.moving_variance, unbiased * ((count - 1) / count), layer.momentum)
        return outputs

    return call


def _follow(average: Any, now: Any, momentum: float) -> None:
    average.assign(average * momentum + now * (1.0 - momentum))
