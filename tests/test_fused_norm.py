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
    {"dtype": "mixed_bfloat16"},
    {"epsilon": 1e-7},
    {"dtype": "float64"},
]
IMAGE, UNITS = (6, 5, 3), (9,)


def normalizing(shape=IMAGE, **options):
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input(shape), layers.BatchNormalization(**options)])


def stepped(model, rows, steps=3):
    """Outputs, gradients and statistics of some training steps in one graph."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_mean(tf.sin(3 * outputs))
        return outputs, tape.gradient(loss, [x, *(weight.value for weight in model.trainable_weights)])

    found = [step(tf.constant(rows + number)) for number in range(steps)]
    return tf.nest.flatten(found) + [tf.constant(weight.numpy()) for weight in model.weights]


@pytest.mark.parametrize(
    ("shape", "rows", "options"),
    [
        *((IMAGE, rows, options) for options in OPTIONS for rows in (1, 7)),
        *((UNITS, 7, options) for options in OPTIONS),
        (UNITS, 1, {}),  # as the last batch may be: its variance is zero
    ],
    ids=str,
)
def test_a_step_is_that_of_keras(shape, rows, options):
    given = np.random.default_rng(1).normal(3, 2, (rows, *shape)).astype("float32")
    theirs, ours = normalizing(shape, **options), normalizing(shape, **options)
    expected = stepped(theirs, given)

    with fused_norm.tracing(ours):
        found = stepped(ours, given)

    for was, now in zip(expected, found, strict=True):
        np.testing.assert_allclose(now, was, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("shape", [IMAGE, UNITS], ids=str)
def test_whole_numbers_are_normalised_as_keras_normalises_them(shape):
    model = keras.Sequential([keras.Input(shape, dtype="int32"), layers.BatchNormalization()])
    given = np.random.default_rng(1).integers(0, 9, (7, *shape)).astype("int32")
    expected = model(given, training=True)

    with fused_norm.tracing(model):
        found = tf.function(lambda x: model(x, training=True))(given)

    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


def quicker(model, *, training=True):
    """How often a step's graph has what Keras's own has not: the kernel of images, or the two sums over rows of units.

    The gradient is not in it.
    """
    graph = tf.function(lambda x: model(x, training=training)).get_concrete_function(
        tf.zeros((2, *model.input_shape[1:]))
    )
    return sum(operation.type in {"FusedBatchNormV3", "BiasAddGrad"} for operation in graph.graph.get_operations())


def quicker_within(model, *, training=True):
    with fused_norm.tracing(model):
        return quicker(model, training=training)


@pytest.mark.parametrize(("shape", "times"), [(IMAGE, 1), (UNITS, 2)], ids=str)
def test_the_quicker_way_is_there_while_a_graph_is_traced_and_gone_afterwards(shape, times):
    model = normalizing(shape)

    inside = quicker_within(model)

    assert inside == times
    assert quicker(model) == 0
    assert "call" not in vars(model.layers[0])


@pytest.mark.parametrize("shape", [IMAGE, UNITS], ids=str)
def test_what_the_quicker_way_does_not_do_stays_keras(shape):
    found = [quicker_within(normalizing(shape, **options)) for options in MADE_OTHERWISE]

    assert not any(found)
    assert quicker_within(normalizing(axis=1)) == 0


@pytest.mark.parametrize("shape", [IMAGE, UNITS], ids=str)
def test_inference_a_frozen_layer_and_a_layer_of_ones_own_stay_keras(shape):
    class Own(layers.BatchNormalization):
        pass

    frozen, own = normalizing(shape), keras.Sequential([keras.Input(shape), Own()])
    frozen.layers[0].trainable = False

    assert quicker_within(frozen) == quicker_within(own) == 0
    assert quicker_within(normalizing(shape), training=False) == 0


def test_the_graph_loop_trains_convolutions_and_units_as_model_fit_does():
    def normalised():
        convolution = layers.Conv2D(4, 3, padding="same", use_bias=False)  # a bias before a normalisation is noise
        units = [layers.Flatten(), layers.Dense(12, use_bias=False), layers.BatchNormalization(momentum=0.8)]
        return [convolution, layers.BatchNormalization(momentum=0.8), layers.ReLU(), *units, layers.ReLU()]

    graph, fit = last_epochs(normalised, lambda: keras.optimizers.SGD(0.01), size=12, epochs=2)

    assert graph == pytest.approx(fit, rel=2e-3, abs=1e-3)
