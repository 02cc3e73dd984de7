"""A convolution whose bias has a gradient of its own is Keras's: outputs and gradients; oneDNN joins no two kernels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from both_loops import last_epochs

from hpsearch.worker import split_bias

layers = keras.layers
IMAGES = np.random.default_rng(1).normal(size=(7, 9, 8, 2)).astype("float32")
OPTIONS = [
    {},
    {"padding": "same", "activation": "elu"},
    {"strides": 2, "bias_initializer": "random_normal"},
    {"dilation_rate": 2, "bias_regularizer": "l2", "activity_regularizer": "l2"},
    {"groups": 2, "kernel_size": 1},
]
MADE_OTHERWISE = [
    {"use_bias": False},
    {"dtype": "mixed_bfloat16"},
    {"data_format": "channels_first", "padding": "same"},
]


def convolving(**options):
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input(IMAGES.shape[1:]), layers.Conv2D(4, **{"kernel_size": 3, **options})])


def gradients(model, images):
    """Outputs, losses of the regularizers and gradients, as a function of images that can be traced."""

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_mean(tf.sin(3 * outputs)) + sum(model.losses)
        return outputs, loss, tape.gradient(loss, [x, *(weight.value for weight in model.trainable_weights)])

    return tf.function(step).get_concrete_function(tf.constant(images))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_outputs_and_gradients_are_those_of_keras(options):
    theirs, ours = convolving(**options), convolving(**options)
    expected = gradients(theirs, IMAGES)(tf.constant(IMAGES))

    with split_bias.tracing(ours):
        found = gradients(ours, IMAGES)(tf.constant(IMAGES))

    for was, now in zip(tf.nest.flatten(expected), tf.nest.flatten(found), strict=True):
        np.testing.assert_allclose(now, was, rtol=2e-5, atol=2e-6)


def joined(model):
    """How many gradients of a bias TensorFlow could join with those of filters, in a graph traced within."""
    with split_bias.tracing(model):
        operations = gradients(model, IMAGES).graph.get_operations()
    return sum(operation.type == "BiasAddGrad" for operation in operations)


def test_the_sum_is_there_while_a_graph_is_traced_and_gone_afterwards():
    model = convolving()

    inside = joined(model)

    outside = [operation.type for operation in gradients(model, IMAGES).graph.get_operations()]
    assert inside == 0
    assert outside.count("BiasAddGrad") == 1
    assert "call" not in vars(model.layers[0])


def test_a_layer_of_ones_own_stays_keras():
    class Own(layers.Conv2D):
        pass

    assert joined(keras.Sequential([keras.Input(IMAGES.shape[1:]), Own(4, 3)])) == 1


@pytest.mark.parametrize("options", MADE_OTHERWISE, ids=str)
def test_what_the_sum_does_not_fit_stays_keras(options):
    model = convolving(**options)

    with split_bias.tracing(model):
        assert "call" not in vars(model.layers[0])


def test_the_graph_loop_trains_as_model_fit_does():
    def convolutions():
        return [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D()]

    graph, fit = last_epochs(convolutions, lambda: keras.optimizers.SGD(0.05), size=12)

    assert graph == pytest.approx(fit, rel=1e-4, abs=1e-4)
