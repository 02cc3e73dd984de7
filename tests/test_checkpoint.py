"""A fit that was killed and resumed ends bit for bit where an undisturbed one does."""

import hashlib
import json
import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hpsearch.worker import checkpoint
from hpsearch.worker.loops import make_loop
from hpsearch.worker.rows import Rows

pytestmark = pytest.mark.usefixtures("one_thread")
layers = keras.layers
OPTIMIZERS = (
    "sgd", "adam", "rmsprop", "adamw", "nadam", "adagrad", "lion", "averaging", "divided",
    "loss-scaled adam", "loss-scaled nadam",
)  # fmt: skip
PLAIN = dict.fromkeys(("cosine", "dropout", "norm", "noise", "augment"), False)


class Noise(layers.Layer):
    """Draws from Keras's global generator, as a layer without a seed of its own does."""

    def call(self, x, training=False):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x)) if training else x


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, 70)
    images = generator.integers(0, 120, (70, 28, 28), dtype=np.uint8) + 20 * labels[:, None, None].astype(np.uint8)
    return Rows(images, labels, np.arange(50), np.arange(50, 70))


def optimizer(name, *, cosine):
    rate = keras.optimizers.schedules.CosineDecay(0.01, 16) if cosine else 0.01
    match name:
        case "sgd":
            return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
        case "averaging":
            return keras.optimizers.Adam(rate, use_ema=True)
        case "divided":
            kernels = {".*/kernel": keras.optimizers.Adam(rate)}
            return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.01), kernels))
    if name.startswith("loss-scaled"):
        inner = type(keras.optimizers.get(name.split()[1]))(rate)
        return keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=3)
    return type(keras.optimizers.get(name))(rate)


def augmenting():
    """Layers that show each image differently in every epoch."""
    chances = [layers.RandomRotation(0.05), layers.RandomZoom(0.1), layers.RandomTranslation(0.1, 0.1)]
    return [layers.Reshape((28, 28, 1)), *chances]


def build(name="adam", *, cosine=True, dropout=True, norm=True, noise=False, augment=False, units=8):
    keras.utils.set_random_seed(11)
    body = [layers.Input((28, 28)), *(augmenting() if augment else [])]
    body += [layers.Flatten(), layers.Dense(units, activation="relu")]
    body += [layers.BatchNormalization()] * norm + [layers.Dropout(0.5)] * dropout + [Noise()] * noise
    model = keras.Sequential([*body, layers.Dense(4, activation="softmax")])
    model.compile(optimizer(name, cosine=cosine), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def everything(model):
    return [np.asarray(variable) for variable in (*model.variables, *model.optimizer.variables)]


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(name="divided", loop="graph", parts=PLAIN)
@example(name="loss-scaled nadam", loop="graph", parts=PLAIN)
@given(
    name=st.sampled_from(OPTIMIZERS), loop=st.sampled_from(["graph", "fit"]),
    parts=st.fixed_dictionaries(dict.fromkeys(PLAIN, st.booleans())),
)  # fmt: skip
def test_a_resumed_fit_ends_bit_for_bit_where_an_undisturbed_one_does(rows, tmp_path, name, loop, parts):
    straight = build(name, **parts)
    keras.utils.set_random_seed(2)
    undisturbed = make_loop(straight, rows, batch_size=16, seed=3, loop=loop)
    undisturbed.epoch(1)
    checkpoint.save(tmp_path / "checkpoint", straight, {"epoch": 1})
    expected = [undisturbed.epoch(number) for number in (2, 3)]

    resumed = build(name, **parts)
    after = make_loop(resumed, rows, batch_size=16, seed=3, loop=loop)
    checkpoint.restore(checkpoint.load(tmp_path / "checkpoint"), resumed)

    assert [after.epoch(number) for number in (2, 3)] == expected
    for was, now in zip(everything(straight), everything(resumed), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_checkpoint_says_which_optimizers_it_leaves_out():
    model = build("loss-scaled adam")
    model.own = model.optimizer.inner_optimizer
    several = build("divided")
    several.own = several.optimizer.optimizers
    assert checkpoint.left_out(model) == checkpoint.left_out(several) == []

    model.layers[-1].teachers = [keras.optimizers.SGD()]
    model.second = keras.optimizers.Adam()

    assert sorted(checkpoint.left_out(model)) == ["second", "teachers"]


@pytest.mark.promise("4", "P12")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_loaded(a_checkpoint, tmp_path, place, bit):
    content = bytearray(a_checkpoint)
    content[int(place * len(content))] ^= 1 << bit
    (tmp_path / "flipped").write_bytes(content)

    saved = checkpoint.load(tmp_path / "flipped")

    assert saved is None


@pytest.mark.promise("4", "P5", "P12")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True))
def test_a_torn_checkpoint_is_never_loaded(a_checkpoint, tmp_path, place):
    (tmp_path / "torn").write_bytes(a_checkpoint[: int(place * len(a_checkpoint))])

    saved = checkpoint.load(tmp_path / "torn")

    assert saved is None


@pytest.fixture(scope="module")
def a_checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint"
    checkpoint.save(path, build(), {"epoch": 1})
    return path.read_bytes()


def test_a_checkpoint_is_laid_out_as_every_release_reads_it(tmp_path):
    state = {"epoch": 2}
    checkpoint.save(tmp_path / "checkpoint", build(), state)

    content = (tmp_path / "checkpoint").read_bytes()

    length = int.from_bytes(content[32:40], "little")
    header = json.loads(content[40 : 40 + length])
    arrays = checkpoint.load(tmp_path / "checkpoint").arrays
    assert content[:32] == hashlib.sha256(content[32:]).digest()
    assert header == {"state": state, "arrays": [[array.dtype.name, list(array.shape)] for array in arrays]}
    assert content[40 + length :] == b"".join(array.tobytes() for array in arrays)


def test_keeping_a_model_takes_the_memory_of_its_largest_variable_and_not_of_all(tmp_path):
    model = keras.Sequential([layers.Input((512,)), *(layers.Dense(512) for _ in range(16))])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)  # 1 MB for each of the kernels, three times

    tracemalloc.start()
    checkpoint.save(tmp_path / "checkpoint", model, {})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (tmp_path / "checkpoint").stat().st_size > 48_000_000
    assert most < 6_000_000


def test_the_callers_state_comes_back(tmp_path):
    state = {"epoch": 3, "score": 0.5, "best_epoch": None, "values": {"units": 8, "name": "relu"}}

    checkpoint.save(tmp_path / "checkpoint", build(), state)

    assert checkpoint.load(tmp_path / "checkpoint").state == state


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path):
    saved = checkpoint.load(tmp_path / "absent")

    assert saved is None


def test_another_models_checkpoint_is_refused_and_nothing_is_touched(tmp_path):
    model = build(units=9)
    before = everything(model)
    checkpoint.save(tmp_path / "checkpoint", build(units=8), {})

    with pytest.raises(ValueError, match=r"another model's.*\(784, 8\) for \(784, 9\)"):
        checkpoint.restore(checkpoint.load(tmp_path / "checkpoint"), model)

    for was, now in zip(before, everything(model)[: len(before)], strict=True):
        np.testing.assert_array_equal(was, now)


def test_the_best_epochs_weights_come_back(rows, tmp_path):
    model = build()
    loop = make_loop(model, rows, batch_size=16, seed=3)
    loop.epoch(1)
    best = model.get_weights()
    checkpoint.save_weights(tmp_path / "best", model)
    loop.epoch(2)

    checkpoint.load_weights(tmp_path / "best", model)

    for was, now in zip(best, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_damaged_weights_are_refused(tmp_path):
    (tmp_path / "best").write_bytes(b"torn")

    with pytest.raises(ValueError, match="missing or damaged"):
        checkpoint.load_weights(tmp_path / "best", build())


def test_bfloat16_variables_come_back(tmp_path):
    def brain():
        model = keras.Sequential([layers.Input((784,)), layers.Dense(4, dtype="bfloat16")])
        model.compile("sgd", "mse")
        return model

    model, other = brain(), brain()
    checkpoint.save(tmp_path / "checkpoint", model, {})

    checkpoint.restore(checkpoint.load(tmp_path / "checkpoint"), other)

    np.testing.assert_array_equal(np.asarray(model.weights[0]), np.asarray(other.weights[0]))
