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


SMALL, LARGE = ((7, 5), (5,)), ((64, 64), (5,))  # shapes of weights; 64 × 64 are enough for a branch of Nadam's


def weights(dtype="float32", shapes=SMALL):
    generator = np.random.default_rng(1)
    return [keras.Variable(generator.normal(size=shape), dtype=dtype) for shape in shapes]


def updated(optimizer, *, fused, steps=STEPS, dtype="float32", shapes=SMALL, part=None, state=()):
    """All variables after so many steps along the same random gradients, and the operations of one step.

    `part` (first, end) has only some of these steps made, from the `state` that such a call gave before.
    """
    variables = weights(dtype, shapes)
    optimizer.build(variables)
    for variable, value in zip((*variables, *optimizer.variables), state, strict=bool(state)):
        variable.assign(value)
    first, end = part or (0, steps)
    generator = np.random.default_rng(2)
    gradients = [tf.constant(generator.normal(size=(steps, *one.shape)), dtype) for one in variables]

    @tf.function(autograph=False)
    def train():
        def step(number):
            optimizer.apply_gradients(zip((one[number] for one in gradients), variables, strict=True))
            return number + 1

        return tf.while_loop(lambda number: number < end, step, [first], parallel_iterations=1)

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


WARMED_UP = 450  # steps, after which Nadam's momentum has left its warming up behind, in float32


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({}, "float32"), ({}, "float64"), ({"beta_1": 0.0}, "float32"),
        ({"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.01}, "float32"),
        ({"beta_1": 0.99, "gradient_accumulation_steps": 2}, "float32"),
    ],
    ids=str,
)  # fmt: skip
def test_nadam_is_keras_own_before_and_after_its_momentum_has_warmed_up(options, dtype):
    steps = 2 * WARMED_UP if dtype == "float64" or "gradient_accumulation_steps" in options else WARMED_UP + 50
    case = {"steps": steps, "dtype": dtype, "shapes": LARGE}
    expected, _ = updated(FUSED["nadam"](**options), fused=False, **case)

    found, operations = updated(FUSED["nadam"](**options), fused=True, **case)

    assert operations >= {"ResourceApplyAdam", "If"}  # the branch of large weights
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)  # Keras rounds its constants to float32 always


def test_a_nadam_that_is_put_back_while_it_warms_up_goes_on_bit_for_bit():
    stop = 100
    case = {"fused": True, "steps": WARMED_UP + 50, "shapes": LARGE}
    straight, _ = updated(FUSED["nadam"](), **case)
    state, _ = updated(FUSED["nadam"](), **case, part=(0, stop))

    resumed, _ = updated(FUSED["nadam"](), **case, part=(stop, case["steps"]), state=state)

    for one, other in zip(resumed, straight, strict=True):
        np.testing.assert_array_equal(one, other)


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
