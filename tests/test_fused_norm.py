"""Batch normalisation by TensorFlow's kernel is Keras's own: outputs, gradients, moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from both_loops import last_epochs

from hpsearch.worker import fused_norm

layers = keras.layers
OPTIONS = [
    {},
    {"momentum": 0.9, "epsilon": 1e-2},
    {"scale": False},
    {"center": False},
    {"beta_regularizer": "l2", "gamma_initializer": "random_normal"},
]
MADE_OTHERWISE = [
    {"renorm": True},
    {"axis": 1},
    {"dtype": "mixed_bfloat16"},
    {"epsilon": 1e-7},
]


def normalizing(**options):
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((6, 5, 3)), layers.BatchNormalization(**options)])


def stepped(model, images, steps=3):
    """Outputs, gradients and statistics of some training steps in one graph."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_mean(tf.sin(3 * outputs))
        return outputs, tape.gradient(loss, [x, *(weight.value for weight in model.trainable_weights)])

    found = [step(tf.constant(images + number)) for number in range(steps)]
    return tf.nest.flatten(found) + [tf.constant(weight.numpy()) for weight in model.weights]


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_step_is_that_of_keras(options, rows):
    images = np.random.default_rng(1).normal(3, 2, (rows, 6, 5, 3)).astype("float32")
    theirs, ours = normalizing(**options), normalizing(**options)
    expected = stepped(theirs, images)

    with fused_norm.tracing(ours):
        found = stepped(ours, images)

    for was, now in zip(expected, found, strict=True):
        np.testing.assert_allclose(now, was, rtol=2e-4, atol=2e-6)


def kernels(model, images):
    """How often the kernel stands in the graph of a training step."""
    with fused_norm.tracing(model):
        graph = tf.function(lambda x: model(x, training=True)).get_concrete_function(images).graph
    return sum(operation.type == "FusedBatchNormV3" for operation in graph.get_operations())


def test_the_kernel_is_there_while_a_graph_is_traced_and_gone_afterwards():
    model, images = normalizing(), tf.zeros((2, 6, 5, 3))

    inside = kernels(model, images)

    plain = tf.function(lambda x: model(x, training=True)).get_concrete_function(images).graph
    assert inside == 1
    assert "FusedBatchNormV3" not in {operation.type for operation in plain.get_operations()}
    assert "call" not in vars(model.layers[0])


@pytest.mark.parametrize("options", MADE_OTHERWISE, ids=str)
def test_what_the_kernel_does_not_do_stays_keras(options):
    assert kernels(normalizing(**options), tf.zeros((2, 6, 5, 3))) == 0


def test_a_frozen_layer_and_a_layer_of_ones_own_stay_keras():
    class Own(layers.BatchNormalization):
        pass

    frozen, own = normalizing(), keras.Sequential([keras.Input((6, 5, 3)), Own()])
    frozen.layers[0].trainable = False

    assert kernels(frozen, tf.zeros((2, 6, 5, 3))) == kernels(own, tf.zeros((2, 6, 5, 3))) == 0


def test_the_graph_loop_trains_a_convolution_as_model_fit_does():
    def normalised():
        convolution = layers.Conv2D(4, 3, padding="same", use_bias=False)  # a bias before a normalisation is noise
        return [convolution, layers.BatchNormalization(momentum=0.8), layers.ReLU()]

    graph, fit = last_epochs(normalised, lambda: keras.optimizers.SGD(0.01), size=12, epochs=2)

    assert graph == pytest.approx(fit, rel=2e-3, abs=1e-3)
