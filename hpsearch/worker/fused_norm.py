"""Has batch normalisation train in fewer passes over memory, where that is Keras's own mathematics.

Keras writes it, and TensorFlow its gradient, as dozens of operations, each a pass over memory. For images there is a
kernel, which normalises by the same biased variance, but reports the unbiased one (Bessel's n / (n - 1),
tensorflow/core/kernels/fused_batch_norm_op.cc); Keras's moving average takes the biased, so it is turned back. The
kernel knows images with channels last, in float32. It is hardly quicker than Keras where each row has one value of a
unit: there the gradient is written out (Ioffe and Szegedy, arXiv:1502.03167, section 3), and BiasAddGrad, which is the
quickest to do so, sums over the rows.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from hpsearch.worker.layer_calls import replaced

UNITS, IMAGES = 2, 4  # the ranks of rows × units, and of rows × height × width × channels
LEAST = 1.001e-5  # cuDNN takes no smaller epsilon, and would take this one for it


def tracing(model: Any) -> AbstractContextManager[None]:
    """Within: a graph that is traced gets the quicker way for each layer that it fits."""
    return replaced(model, _fits, _fused)


def _fits(layer: Any) -> bool:
    """Whether the layer is Keras's very own (a subclass may do otherwise), and does what is done here."""
    import keras

    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.input_spec.ndim in {UNITS, IMAGES}
        and layer.axis in {-1, layer.input_spec.ndim - 1}
        and layer.compute_dtype == layer.variable_dtype == "float32"
        and layer.epsilon >= LEAST
        and not (layer.renorm or layer.synchronized)
    )


def _fused(layer: Any) -> Callable[..., Any]:
    import tensorflow as tf

    keras_call, normalised = layer.call, _images if layer.input_spec.ndim == IMAGES else _units

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if training is not True or mask is not None or not layer.trainable:
            return keras_call(inputs, training=training, mask=mask)
        inputs = tf.cast(inputs, tf.float32)  # no layer casts whole numbers by itself
        channels = inputs.shape[-1]
        scale = tf.convert_to_tensor(layer.gamma.value) if layer.scale else tf.ones(channels)
        offset = tf.convert_to_tensor(layer.beta.value) if layer.center else tf.zeros(channels)
        outputs, mean, variance = normalised(inputs, scale, offset, layer.epsilon)
        _follow(layer.moving_mean, mean, layer.momentum)
        _follow(layer.moving_variance, variance, layer.momentum)
        return outputs

    return call


def _images(inputs: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalised images, and mean and biased variance of each channel."""
    import tensorflow as tf

    nothing = tf.zeros(0)
    outputs, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=nothing, variance=nothing, epsilon=epsilon
    )
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
    return outputs, mean, unbiased * ((count - 1) / count)


def _units(inputs: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalised rows, and mean and biased variance of each unit."""
    import tensorflow as tf

    count = tf.cast(tf.shape(inputs)[0], tf.float32)

    def total(rows: Any) -> Any:
        return tf.raw_ops.BiasAddGrad(out_backprop=rows)

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def normalised(inputs: Any, scale: Any, offset: Any) -> Any:
        mean = total(inputs) / count
        centred = inputs - mean
        variance = total(tf.square(centred)) / count
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = inverse * scale

        def gradient(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:  # mean and variance go to the averages alone
            of_offset, product = total(upstream), total(upstream * centred)
            through_variance = centred * (tf.square(inverse) * product / count)
            of_inputs = factor * (upstream - (through_variance + of_offset / count))
            return of_inputs, inverse * product, of_offset

        return (centred * factor + offset, mean, variance), gradient

    outputs, mean, variance = normalised(inputs, scale, offset)
    return outputs, mean, variance


def _follow(average: Any, now: Any, momentum: float) -> None:
    average.assign(average * momentum + now * (1.0 - momentum))
