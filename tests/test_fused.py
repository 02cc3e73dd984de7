"""The fused kernels update as Keras's own optimizers do, over hundreds of steps; what has no kernel stays Keras's."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from hpsearch.worker.fused import Fused

STEPS = 300
FUSED = {
    "sgd": lambda **options: optimizers.SGD(0.1, **options),
    "momentum": lambda **options: optimizers.SGD(0.05, momentum=0.9, **options),
    "nesterov": lambda **options: optimizers.SGD(0.05, momentum=0.9, nesterov=True, **options),
    "adam": lambda **options: optimizers.Adam(0.01, **options),
    "amsgrad": lambda **options: optimizers.Adam(0.01, amsgrad=True, **options),
    "adamw": lambda **options: optimizers.AdamW(0.01, weight_decay=0.02, **options),
    "adamax": lambda **options: optimizers.Adamax(0.01, **options),
    "nadam": lambda **options: optimizers.Nadam(0.01, **options),
    "rmsprop": lambda **options: optimizers.RMSprop(0.01, **options),
    "rmsprop momentum": lambda **options: optimizers.RMSprop(0.01, momentum=0.5, **options),
    "rmsprop centered": lambda **options: optimizers.RMSprop(0.01, centered=True, **options),
    "adadelta": lambda **options: optimizers.Adadelta(1.0, **options),
}


class OwnAdam(optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * 0.5)


KERAS = {
    "adagrad": lambda: optimizers.Adagrad(0.05),
    "lion": lambda: optimizers.Lion(0.001),
    "ftrl": lambda: optimizers.Ftrl(0.05),
    "own": lambda: OwnAdam(0.01),
}


def weights(dtype="float32", shapes=((7, 5), (5,))):
    generator = np.random.default_rng(1)
    return [keras.Variable(generator.normal(size=shape), dtype=dtype) for shape in shapes]


def updated(optimizer, *, fused, steps=STEPS, dtype="float32"):
    """All variables after so many steps along the same random gradients, and the operations of one step."""
    variables = weights(dtype)
    optimizer.build(variables)
    generator = np.random.default_rng(2)
    gradients = [tf.constant(generator.normal(size=(steps, *one.shape)), dtype) for one in variables]

    @tf.function(autograph=False)
    def train():
        def step(number):
            optimizer.apply_gradients(zip((one[number] for one in gradients), variables, strict=True))
            return number + 1

        return tf.while_loop(lambda number: number < steps, step, [0], parallel_iterations=1)

    with Fused(optimizer).tracing() if fused else nullcontext():
        train()
    bodies = train.get_concrete_function().graph.as_graph_def().library.function
    operations = {node.op for body in bodies for node in body.node_def}
    return [keras.ops.convert_to_numpy(one) for one in (*variables, *optimizer.variables)], operations


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_update_is_keras_own_over_hundreds_of_steps(name):
    expected, _ = updated(FUSED[name](), fused=False)

    found, operations = updated(FUSED[name](), fused=True)

    assert any(operation.startswith("ResourceApply") for operation in operations)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_the_number_of_a_step_is_read_once_for_all_variables(name):
    optimizer, variables = FUSED[name](), weights(shapes=[(2,)] * 5)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step():
        optimizer.apply([tf.ones(2)] * 5, variables)

    with Fused(optimizer).tracing():
        graph = step.get_concrete_function().graph

    number = graph.capture(optimizer.iterations.value.handle)
    readers = [one for one in number.consumers() if one.type == "ReadVariableOp"]
    assert len(readers) <= 3  # ours, that of Nadam's product, and that which counts it up


AROUND = {
    "clipped": {"clipnorm": 0.5},
    "averaged": {"use_ema": True, "ema_overwrite_frequency": 10},
    "accumulated": {"gradient_accumulation_steps": 4},
}


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("adam", "clipped"), ("adam", "averaged"), ("adam", "accumulated"),
        ("nesterov", "accumulated"), ("nadam", "averaged"), ("rmsprop", "clipped"),
    ],
)  # fmt: skip
def test_what_keras_does_around_an_update_stays(name, around):
    expected, _ = updated(FUSED[name](**AROUND[around]), fused=False)

    found, _ = updated(FUSED[name](**AROUND[around]), fused=True)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)


def test_a_schedule_and_a_weight_decay_are_kept():
    made = lambda: optimizers.AdamW(optimizers.schedules.CosineDecay(0.02, STEPS), weight_decay=0.1)  # noqa: E731
    expected, _ = updated(made(), fused=False)

    found, _ = updated(made(), fused=True)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", KERAS)
def test_an_optimizer_without_a_kernel_updates_as_ever(name):
    expected, _ = updated(KERAS[name](), fused=False, steps=5)

    found, operations = updated(KERAS[name](), fused=True, steps=5)

    assert not any(operation.startswith("ResourceApply") for operation in operations)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["adam", "adamax", "rmsprop"])
def test_weights_of_half_precision_are_updated_by_keras(name, dtype):
    expected, _ = updated(FUSED[name](), fused=False, steps=5, dtype=dtype)

    found, operations = updated(FUSED[name](), fused=True, steps=5, dtype=dtype)

    assert not any(operation.startswith("ResourceApply") for operation in operations)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_rows_of_an_embedding_are_updated_by_keras():
    table = keras.Variable(np.ones((6, 3), np.float32))
    optimizer = optimizers.Adam(0.1)
    optimizer.build([table])

    with Fused(optimizer).tracing(), tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table.value, [1, 4]))
        optimizer.apply_gradients([(tape.gradient(loss, table.value), table)])

    changed = np.unique(np.nonzero(keras.ops.convert_to_numpy(table) != 1)[0])
    assert changed.tolist() == [1, 4]


def test_afterwards_the_optimizer_is_as_it_was():
    optimizer = optimizers.Adam(0.01)
    optimizer.build(weights())
    before = set(vars(optimizer))

    with Fused(optimizer).tracing():
        assert "update_step" in vars(optimizer)

    assert set(vars(optimizer)) == before
