"""Penalties in fewer passes are Keras's own: values, gradients, and what they do to a model that trains."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from both_loops import last_epochs
from keras import regularizers

from hpsearch.worker import quick_penalty

layers = keras.layers
QUICK = [
    regularizers.L1(0.02),
    regularizers.L2(0.03),
    regularizers.L1L2(0.02, 0.03),
    regularizers.L1L2(l1=0.02),
    regularizers.L1L2(),
]


class OwnL2(regularizers.L2):
    def __call__(self, x):
        return 5 * super().__call__(x)


OTHERS = [None, regularizers.OrthogonalRegularizer(0.1), OwnL2(0.03)]


def penalised(regularizer, **options):
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((6,)), layers.Dense(4, kernel_regularizer=regularizer, **options)])


def penalty(model):
    """A function of no arguments that gives the penalty of all weights, scaled, and its gradients."""

    def step():
        with tf.GradientTape() as tape:
            loss = 7 * tf.add_n([tf.zeros(()), *model.losses])
        return loss, tape.gradient(loss, [weights.value for weights in model.weights], unconnected_gradients="zero")

    return tf.function(step).get_concrete_function()


@pytest.mark.parametrize("regularizer", QUICK, ids=lambda one: str(one.get_config()))
def test_a_penalty_and_its_gradients_are_those_of_keras(regularizer):
    model = penalised(regularizer)
    model.layers[0].kernel.assign(model.layers[0].kernel * [[0.0], *[[1.0]] * 5])  # of 0, |x| has the gradient 0
    expected = penalty(model)()

    with quick_penalty.tracing(model):
        found = penalty(model)()

    for was, now in zip(tf.nest.flatten(expected), tf.nest.flatten(found), strict=True):
        np.testing.assert_allclose(now, was, rtol=2e-6)


def test_it_is_there_while_a_graph_is_traced_and_gone_afterwards():
    regularizer = regularizers.L2(0.03)
    model = penalised(regularizer)

    with quick_penalty.tracing(model):
        inside = {operation.type for operation in penalty(model).graph.get_operations()}

    outside = {operation.type for operation in penalty(model).graph.get_operations()}
    assert ("L2Loss" in inside, "Square" in inside) == (True, False)
    assert ("L2Loss" in outside, "Square" in outside) == (False, True)
    assert model.layers[0].kernel.regularizer is regularizer


@pytest.mark.parametrize("regularizer", OTHERS, ids=lambda one: type(one).__name__)
def test_other_regularizers_stay_as_they_are(regularizer):
    model = penalised(regularizer)

    with quick_penalty.tracing(model):
        assert model.layers[0].kernel.regularizer is regularizer


def test_weights_of_another_precision_and_frozen_ones_stay_keras():
    regularizer = regularizers.L2(0.03)
    half, frozen = penalised(regularizer, dtype="bfloat16"), penalised(regularizer)
    frozen.trainable = False

    with quick_penalty.tracing(half), quick_penalty.tracing(frozen):
        kept = [model.layers[0].kernel.regularizer for model in (half, frozen)]

    assert kept == [regularizer, regularizer]


@pytest.mark.parametrize("options", [pytest.param({}, marks=pytest.mark.long), {"clipnorm": 0.1}], ids=str)
def test_the_graph_loop_trains_as_model_fit_does(options):
    def penalised_layers():
        penalties = {"kernel_regularizer": regularizers.L1L2(1e-3, 1e-2), "bias_regularizer": "l2"}
        return [layers.Flatten(), layers.Dense(16, activation="tanh", **penalties)]

    graph, fit = last_epochs(penalised_layers, lambda: keras.optimizers.Adam(0.01, **options), size=6)

    assert graph == pytest.approx(fit, rel=1e-4, abs=1e-4)
