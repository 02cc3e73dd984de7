"""The graph loop trains as model.fit does, and models it would not do justice to go through model.fit."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from hpsearch.worker.completing import complete
from hpsearch.worker.epochs import NonFinite
from hpsearch.worker.loop_graph import NotCompiled, Source, read, words
from hpsearch.worker.loops import LoopUnfit, choose, make_loop
from hpsearch.worker.rows import Rows, ShapesDisagree, fitted

pytestmark = pytest.mark.usefixtures("one_thread")
layers, regularizers = keras.layers, keras.regularizers
LOOPS = ("graph", "fit")


@pytest.fixture
def rows(tmp_path):
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 10, 300)
    images = generator.integers(0, 120, (300, 28, 28)) + 10 * labels[:, None, None]
    np.save(tmp_path / "images.npy", images.astype(np.uint8))
    np.save(tmp_path / "labels.npy", labels.astype(np.int64))
    shuffled = generator.permutation(300)
    np.savez(tmp_path / "split.npz", train=np.sort(shuffled[:237]), validation=np.sort(shuffled[237:]))
    return Rows.open(tmp_path, tmp_path / "split.npz")


def adam_with_cosine():
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 16))


def divided(inner):
    """One optimizer for the kernels and one like it for all other weights."""
    kernels = type(inner).from_config(inner.get_config())
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(inner, {".*/kernel": kernels}))


def mlp(optimizer="adam", loss="sparse_categorical_crossentropy", shape=(28, 28), units=10, **compiling):
    keras.utils.set_random_seed(7)
    model = keras.Sequential([
        layers.Input(shape), layers.Flatten(),
        layers.Dense(16, use_bias=False, kernel_regularizer=regularizers.L2(1e-3)),  # a bias there is noise
        layers.BatchNormalization(), layers.ReLU(), layers.Dense(units, activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer, loss, metrics=["accuracy"], **compiling)
    return model


def flat(optimizer="sgd", loss="sparse_categorical_crossentropy", **compiling):
    """The least that can be trained, where what is asserted is of no layer."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile(optimizer, loss, **compiling)
    return model


def stock(model, rows, epochs):
    """What Keras's own fit makes of float arrays in the same order."""
    found = {}
    for epoch in range(1, epochs + 1):
        order = rows.order(5, epoch)
        x, y = (rows.images / np.float32(255)).astype(np.float32), rows.labels
        history = model.fit(
            x[order], y[order], batch_size=32, shuffle=False, verbose=0, initial_epoch=epoch - 1, epochs=epoch,
            validation_data=(x[rows.validation], y[rows.validation]) if len(rows.validation) else None,
            sample_weight=None if rows.weights is None else rows.weights[order],
        )  # fmt: skip
        found = {name: values[-1] for name, values in history.history.items()}
    return found


@pytest.mark.parametrize(
    "optimizer", [lambda: keras.optimizers.SGD(0.05, momentum=0.9), adam_with_cosine], ids=["sgd", "adam"]
)
def test_both_loops_train_as_model_fit_does_on_the_same_batches(rows, optimizer):
    theirs = mlp(optimizer())
    expected = stock(theirs, rows, epochs=2)

    for loop in LOOPS:
        ours = mlp(optimizer())
        looping = make_loop(ours, rows, batch_size=32, seed=5, loop=loop)
        found = [looping.epoch(number) for number in (1, 2)][-1]

        rate = found.pop("learning_rate")
        assert rate == pytest.approx(float(theirs.optimizer.learning_rate)), loop
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), loop
        for ours_is, theirs_is in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(ours_is, theirs_is, rtol=1e-2, atol=2e-4, err_msg=loop)
        assert int(ours.optimizer.iterations) == 16, loop


@pytest.mark.parametrize("wrapped", [lambda one: one, keras.optimizers.LossScaleOptimizer], ids=["plain", "scaled"])
def test_weights_divided_among_optimizers_are_trained_as_model_fit_does_without_telling_one_rate(rows, wrapped):
    def made():
        return flat(wrapped(divided(keras.optimizers.SGD(0.05, momentum=0.9))), metrics=["accuracy"])

    expected = stock(made(), rows, epochs=1)

    for loop in LOOPS:
        found = make_loop(made(), rows, batch_size=32, seed=5, loop=loop).epoch(1)

        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), loop


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (784,), (None, None, 1)])
def test_images_come_in_the_shape_that_the_model_takes(rows, shape):
    model = keras.Sequential([
        layers.Input(shape), layers.GlobalAveragePooling2D() if None in shape else layers.Flatten(), layers.Dense(10)
    ])  # fmt: skip
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    metrics = make_loop(model, rows, batch_size=64, seed=1).epoch(1)

    assert set(metrics) == {"loss", "val_loss", "learning_rate"}


@pytest.mark.parametrize("first", [layers.Flatten, lambda: layers.Conv2D(2, 5, strides=4)], ids=["flatten", "conv"])
def test_a_model_without_an_input_layer_is_built_for_any_number_of_rows(rows, first):
    model = keras.Sequential([first(), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    metrics = make_loop(model, rows, batch_size=64, seed=1).epoch(1)

    assert 0 <= metrics["val_accuracy"] <= 1
    assert (model.input_shape[0], model.output_shape) == (None, (None, 10))


def test_a_subclassed_model_is_built(rows):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.dense = layers.Flatten(), layers.Dense(10, activation="softmax")

        def call(self, x):
            return self.dense(self.flatten(x))

    model = Own()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    metrics = make_loop(model, rows, batch_size=64, seed=1).epoch(1)

    assert 0 <= metrics["val_accuracy"] <= 1


unbuilt = pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer '")  # Keras's word of such layers


class Restoring(keras.Model):
    """Has a layer that only training calls, and one that nobody does."""

    def __init__(self):
        super().__init__()
        self.flatten, self.dense, self.last = layers.Flatten(), layers.Dense(16), layers.Dense(10, "softmax")
        self.norm, self.restored, self.forgotten = layers.BatchNormalization(), layers.Dense(784), layers.Dense(1)

    def call(self, images, training=False):
        flat = self.flatten(images)
        hidden = self.dense(self.norm(flat, training=training))
        if training:
            self.add_loss(keras.ops.mean(keras.ops.square(self.restored(hidden) - flat)))
        return self.last(hidden)


class RestoringInLoss(Restoring):
    """Reaches that layer by its loss alone."""

    def call(self, images, training=False):
        return super().call(images)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        off = self.restored(y_pred) - self.flatten(x)
        return super().compute_loss(x, y, y_pred, sample_weight, training) + keras.ops.mean(keras.ops.square(off))


class RestoringInStep(RestoringInLoss):
    """Reaches it by a step of its own."""

    def train_step(self, data):
        return super().train_step(data)


def restoring(kind=Restoring, optimizer=None):
    keras.utils.set_random_seed(7)
    model = kind()
    optimizer = optimizer or keras.optimizers.SGD(0.05, momentum=0.9)  # whose graphs are small
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Restless(keras.Model):
    """Drops values, and follows their statistics, whether it trains or not."""

    def __init__(self):
        super().__init__()
        self.flatten, self.last = layers.Flatten(), layers.Dense(10, "softmax")
        self.norm, self.noise = layers.BatchNormalization(), layers.Dropout(0.5)

    def call(self, images):
        return self.last(self.noise(self.norm(self.flatten(images), training=True), training=True))


def test_a_model_that_moves_its_state_with_every_call_is_trained_as_by_model_fit(rows):
    rows = Rows(rows.images, rows.labels, rows.train, rows.validation[:0])
    theirs = restoring(Restless)
    stock(theirs, rows, epochs=1)

    for loop in LOOPS:
        ours = restoring(Restless)
        make_loop(ours, rows, batch_size=32, seed=5, loop=loop).epoch(1)

        for ours_is, theirs_is in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(ours_is, theirs_is, rtol=1e-2, atol=2e-4, err_msg=loop)


@unbuilt
@pytest.mark.parametrize(
    ("kind", "loops"),
    [(Restoring, LOOPS), (RestoringInLoss, ("graph",)), (RestoringInStep, ("auto",))],
    ids=["call", "loss", "step"],
)
def test_a_layer_that_only_training_calls_is_trained_as_by_model_fit(rows, kind, loops):
    theirs = restoring(kind)
    expected = stock(theirs, rows, epochs=1)

    for loop in loops:
        ours = restoring(kind)
        found = make_loop(ours, rows, batch_size=32, seed=5, loop=loop).epoch(1)

        found.pop("learning_rate")
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), loop
        assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 8, loop


@unbuilt
@pytest.mark.parametrize("kind", [Restoring, RestoringInLoss, RestoringInStep])
@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.ScheduleFreeAdamW, lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Nadam())],
    ids=["free", "scaled"],
)
def test_what_builds_a_layer_for_training_moves_no_state(rows, kind, optimizer):
    model = restoring(kind, optimizer())

    shaped = fitted(rows, model)
    complete(model, shaped.batch(rows.train[:1]))

    assert model.restored.built
    np.testing.assert_array_equal(model.norm.moving_mean, np.zeros(784))
    assert (int(model.optimizer.iterations), float(model.metrics[0].result())) == (0, 0.0)
    if optimizer is keras.optimizers.ScheduleFreeAdamW:  # whose momenta begin where its weights do
        for weight, momentum in zip(model.trainable_weights, model.optimizer._momentums, strict=True):
            np.testing.assert_array_equal(weight, momentum)


@pytest.mark.parametrize(
    "loss",
    [
        "categorical_crossentropy",
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "mse",
        ["categorical_crossentropy"],
        {"probs": "categorical_crossentropy"},
        keras.losses.CategoricalCrossentropy,
    ],
    ids=["name", "smoothed", "mse", "list", "dictionary", "class"],
)
def test_labels_come_one_hot_when_the_loss_wants_them_so(rows, loss):
    images = keras.Input((28, 28))
    model = keras.Model(images, layers.Dense(10, activation="softmax", name="probs")(layers.Flatten()(images)))
    model.compile("adam", loss)

    shaped = fitted(rows, model)

    assert shaped.one_hot == 10
    for _, labels in (shaped.batch(rows.train[:3]), Source(shaped).batch(tf.constant(rows.train[:3]))):
        np.testing.assert_array_equal(labels, np.eye(10)[rows.labels[rows.train[:3]]])
        assert np.isfinite(model.compute_loss(y=labels, y_pred=keras.ops.ones((3, 10))))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_model_is_trained_on_one_hot_labels(rows, loop):
    metrics = make_loop(flat(loss="categorical_crossentropy"), rows, batch_size=64, seed=1, loop=loop).epoch(1)

    named = make_loop(flat(), rows, batch_size=64, seed=1, loop=loop).epoch(1)
    assert metrics == pytest.approx(named, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    ["crossentropy", "CE", keras.losses.SparseCategoricalCrossentropy, ["sparse_categorical_crossentropy"]],
    ids=["crossentropy", "CE", "class", "list"],
)
def test_labels_come_as_integers_where_the_loss_takes_them_so(rows, loss):
    model, named = flat(loss=loss), flat()

    shaped = fitted(rows, model)

    assert shaped.one_hot == 0
    _, labels = shaped.batch(rows.train[:3])
    given = {"y": labels, "y_pred": keras.ops.softmax(np.arange(30, dtype=np.float32).reshape(3, 10) % 7)}
    assert float(model.compute_loss(**given)) == float(named.compute_loss(**given))


def test_labels_come_as_integers_where_a_loss_takes_them_so_whose_name_does_not_say_it(rows):
    ours, theirs = (flat(loss=keras.losses.CategoricalGeneralizedCrossEntropy()) for _ in range(2))
    expected = stock(theirs, rows, epochs=1)

    found = make_loop(ours, rows, batch_size=32, seed=5).epoch(1)

    found.pop("learning_rate")
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("loss", ["crossentropy", "binary_crossentropy", keras.losses.BinaryCrossentropy])
def test_one_sigmoid_for_two_classes_takes_labels_of_one_number(rows, loss):
    two = Rows(rows.images, rows.labels % 2, rows.train, rows.validation)
    model = keras.Sequential([layers.Input((28, 28)), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", loss)

    metrics = make_loop(model, two, batch_size=64, seed=1).epoch(1)

    assert 0 < metrics["loss"] < 10


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: mlp(shape=(32, 32)), r"\(None, 32, 32\).*28 × 28"),
        (lambda: mlp(shape=(28, 28, 3)), r"\(None, 28, 28, 3\), but gets grey images of 28 × 28"),
        (lambda: mlp(units=5), r"\(None, 5\).*\(300,\) and 10 classes"),
        (lambda: mlp(units=5, loss="categorical_crossentropy"), r"\(None, 5\).*\(300,\) and 10 classes"),
    ],
)
def test_shapes_that_no_reshaping_helps_are_both_named(rows, model, says):
    with pytest.raises(ShapesDisagree, match=says):
        make_loop(model(), rows, batch_size=64, seed=1)


class Branching(keras.Model):
    def __init__(self, gathered):
        super().__init__()
        self.flatten, self.first, self.second = layers.Flatten(), layers.Dense(10), layers.Dense(10)
        self.gathered = gathered

    def call(self, images):
        flat = self.flatten(images)
        return self.gathered((self.first(flat), self.second(flat)))


def branching(gathered):
    images = keras.Input((28, 28))
    return keras.Model(images, Branching(gathered)(images))


@pytest.mark.parametrize("model", [branching, Branching], ids=["functional", "subclassed"])
@pytest.mark.parametrize("loss", ["mse", lambda true, predicted: keras.ops.sum(predicted)], ids=["named", "own"])
@pytest.mark.parametrize(
    "gathered", [tuple, list, lambda both: dict(zip("ab", both, strict=True)), lambda both: {"a": both[0]}]
)
def test_a_model_with_several_outputs_is_refused_since_one_is_judged(rows, model, loss, gathered):
    model = model(gathered)
    model.compile("adam", loss)

    with pytest.raises(ShapesDisagree, match=r"gives a (tuple|list|dict) of outputs, where hpsearch .* judges one"):
        make_loop(model, rows, batch_size=64, seed=1)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (OwnStep, "OwnStep has its own train_step"),
        (keras.Sequential, "run_eagerly"),
    ],
    ids=["own step", "eager"],
)  # fmt: skip
def test_a_model_the_graph_would_not_do_justice_goes_through_fit_and_says_why(rows, model, reason):
    model = model([layers.Input((784,)), layers.Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly="eager" in reason)

    loop = make_loop(model, rows, batch_size=64, seed=1)

    assert loop.kind.startswith("fit: because")
    assert reason in loop.kind
    assert loop.epoch(1)["loss"] > 0
    with pytest.raises(LoopUnfit, match=reason):
        choose(model, "graph")


@pytest.mark.parametrize("loop", LOOPS)
def test_without_validation_rows_nothing_is_validated(rows, loop):
    rows = Rows(rows.images, rows.labels, rows.train, rows.validation[:0])

    metrics = make_loop(flat(metrics=["accuracy"]), rows, batch_size=64, seed=1, loop=loop).epoch(1)

    assert set(metrics) == {"loss", "accuracy", "learning_rate"}


class MostRows(keras.metrics.Metric):
    """The most rows that came in one step."""

    def __init__(self):
        super().__init__(name="most_rows")
        self.most = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.most.assign(keras.ops.maximum(self.most, keras.ops.cast(keras.ops.shape(y_pred)[0], "float32")))

    def result(self):
        return self.most + 0


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("side", "batch_size", "most"), [(28, 8, 256), (128, 8, 64), (128, 100, 100)])
def test_large_images_are_validated_fewer_at_once_but_no_fewer_than_trained(side, batch_size, most, loop):
    rows = Rows(np.zeros((400, side, side), np.uint8), np.arange(400) % 2, np.arange(100), np.arange(100, 400))
    model = keras.Sequential([layers.Input((side, side)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[MostRows()])

    metrics = make_loop(model, rows, batch_size=batch_size, seed=1, loop=loop).epoch(1)

    assert (metrics["most_rows"], metrics["val_most_rows"]) == (batch_size, most)


class Enough(Exception):
    """What a tick may raise."""


def test_a_graph_epoch_ends_between_two_stretches_when_tick_raises(rows):
    heard = []
    loop = make_loop(flat(), rows, batch_size=1, seed=1)

    def tick(step, steps):
        heard.append((step, steps))
        if len(heard) == 2:
            raise Enough

    with pytest.raises(Enough):
        loop.epoch(1, tick=tick)

    assert [step for step, _ in heard] == sorted({step for step, _ in heard})
    assert {steps for _, steps in heard} == {237}


def test_a_fit_epoch_ends_when_tick_raises(rows):
    model = flat(run_eagerly=True)
    loop = make_loop(model, rows, batch_size=1, seed=1, loop="fit")

    def tick(step, steps):
        raise Enough

    def train():
        for number in range(1, 50):
            loop.epoch(number, tick=tick)

    with pytest.raises(Enough):
        train()


def no_number(true, predicted):
    return keras.ops.sum(predicted) * float("nan")


@pytest.mark.promise("23", "P16")
def test_a_graph_epoch_whose_loss_is_no_number_ends_with_its_stretch(rows):
    model = flat(loss=no_number)
    loop = make_loop(model, rows, batch_size=1, seed=1)

    with pytest.raises(NonFinite, match="loss is nan in epoch 1, at step 16 of 237"):
        loop.epoch(1)

    assert int(model.optimizer.iterations) == 16


@pytest.mark.promise("23", "P16")
def test_a_fit_epoch_whose_loss_is_no_number_ends_within_a_second_or_so(rows):
    def slow(true, predicted):
        time.sleep(0.05)
        return no_number(true, predicted)

    model = flat(loss=slow, run_eagerly=True)
    loop = make_loop(model, rows, batch_size=1, seed=1, loop="fit")

    with pytest.raises(NonFinite, match=r"loss is nan in epoch 1, at step \d+ of 237"):
        loop.epoch(1)

    assert int(model.optimizer.iterations) < 60


def test_whether_an_epoch_of_one_step_is_told_does_not_hang_on_how_long_the_step_took(rows):
    def slow(true, predicted):
        time.sleep(1.1)
        return no_number(true, predicted)

    short = Rows(rows.images, rows.labels, np.arange(10), np.arange(0))
    quick, slow = (flat(loss=loss, run_eagerly=True) for loss in (no_number, slow))

    losses = [make_loop(model, short, batch_size=10, seed=1, loop="fit").epoch(1)["loss"] for model in (quick, slow)]

    assert np.isnan(losses).all()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "wrapped",
    [lambda one: one, keras.optimizers.LossScaleOptimizer, divided],
    ids=["plain", "scaled", "divided"],
)
def test_the_weights_after_an_epoch_are_those_that_were_scored(rows, wrapped, loop):
    plain = flat(wrapped(keras.optimizers.SGD(0.05)))
    averaged = flat(wrapped(keras.optimizers.SGD(0.05, use_ema=True)))

    for model in (plain, averaged):
        make_loop(model, rows, batch_size=64, seed=1, loop=loop).epoch(1)

    for one, other in zip(plain.get_weights(), averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_epoch_has_an_order_of_its_own_over_the_same_rows(rows):
    first, again, second = rows.order(1, 1), rows.order(1, 1), rows.order(1, 2)

    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.sort(second), rows.train)
    assert (first != second).any()


def weighed(rows):
    weights = np.linspace(0.2, 3.0, 10, dtype=np.float32)[rows.labels]
    return Rows(rows.images, rows.labels, rows.train, rows.validation, weights)


def test_weights_of_rows_weigh_as_those_of_model_fit(rows):
    rows = weighed(rows)
    expected = stock(flat(weighted_metrics=["accuracy"]), rows, epochs=1)

    for loop in LOOPS:
        found = make_loop(flat(weighted_metrics=["accuracy"]), rows, batch_size=32, seed=5, loop=loop).epoch(1)

        found.pop("learning_rate")
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), loop


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_as_model_fit_does(rows, precision):
    keras.config.set_dtype_policy(precision)
    try:
        expected = stock(mlp(), rows, epochs=1)

        found = make_loop(mlp(), rows, batch_size=32, seed=5, loop="graph").epoch(1)
    finally:
        keras.config.set_dtype_policy("float32")

    assert found["loss"] == pytest.approx(expected["loss"], rel=0.02)
    assert found["val_accuracy"] == pytest.approx(expected["val_accuracy"], abs=0.05)


@pytest.mark.parametrize(
    "optimizer",
    ["adam", pytest.param("rmsprop", marks=pytest.mark.long), pytest.param("nadam", marks=pytest.mark.long)],
)
def test_compiled_steps_train_as_plain_ones_do(rows, optimizer):
    plain = make_loop(mlp(optimizer), rows, batch_size=32, seed=5)
    compiled = make_loop(mlp(optimizer), rows, batch_size=32, seed=5, xla=True)

    expected, found = plain.epoch(1), compiled.epoch(1)

    assert compiled.kind == "graph, XLA"
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_layer_that_says_that_it_cannot_be_compiled_is_trained_without_xla(rows):
    turning = keras.Sequential([
        layers.Input((28, 28, 1)), layers.RandomRotation(0.05), layers.Flatten(), layers.Dense(10, "softmax"),
    ])  # fmt: skip
    turning.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    loop = make_loop(turning, rows, batch_size=32, seed=5, xla=True)

    assert loop.kind == "graph"
    assert np.isfinite(loop.epoch(1)["loss"])


def test_a_step_that_turns_out_not_to_be_compilable_says_why_and_what_to_set(rows):
    class Own(layers.Layer):
        def call(self, images):
            return keras.ops.reshape(tf.py_function(lambda same: same, [images], images.dtype), (-1, 784))

    model = keras.Sequential([layers.Input((784,)), Own(), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    loop = make_loop(model, rows, batch_size=32, seed=5, xla=True)

    with pytest.raises(NotCompiled, match=r"it knows no EagerPyFunc\n  set train.compile to false"):
        loop.epoch(1)


@pytest.mark.parametrize("side", [28, 30, 25])  # so many pixels are a multiple of 8 bytes, of 4, of 1
def test_mapped_images_are_used_where_they_lie(rows, tmp_path, side):
    np.save(tmp_path / "images.npy", np.full((300, side, side), 9, np.uint8))
    rows = Rows.open(tmp_path, tmp_path / "split.npz")
    source = Source(fitted(rows, mlp(shape=(side, side))))

    rows.images[...] = 0  # mapped copy-on-write: this process sees it, the file does not

    images, _ = source.batch(tf.constant([0, 1], tf.int64))
    assert not images.numpy().any()


@pytest.mark.parametrize("side", [28, 30, 25])
def test_images_come_back_from_the_words_that_they_are_on_a_card(side):
    images = np.random.default_rng(1).integers(0, 256, (5, side * side), dtype=np.uint8)

    back = read(tf.gather(tf.constant(words(images)), [3, 0]), side * side)

    np.testing.assert_array_equal(back, images[[3, 0]])


def test_images_that_begin_at_an_odd_address_are_copied(rows):
    memory = np.zeros(rows.images.size + 1, np.uint8)
    images = memory[1:].reshape(rows.images.shape)
    images[...] = rows.images

    source = Source(fitted(Rows(images, rows.labels, rows.train, rows.validation), flat()))
    images[...] = 0

    taken, _ = source.batch(tf.constant(rows.train))
    expected, _ = fitted(rows, flat()).batch(rows.train)
    np.testing.assert_allclose(taken, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "metrics", [["accuracy"], [keras.metrics.SparseTopKCategoricalAccuracy(2)]], ids=["acc", "own"]
)
def test_each_graph_is_traced_once(rows, metrics, monkeypatch):
    model, traced = flat(), []
    model.compile("adam", "sparse_categorical_crossentropy", metrics=metrics)
    for name in ("train_step", "test_step"):
        step = getattr(model, name)
        monkeypatch.setattr(model, name, lambda data, name=name, step=step: traced.append(name) or step(data))

    loop = make_loop(model, rows, batch_size=32, seed=5)
    loop.epoch(1)

    assert traced == ["train_step", "test_step"]
