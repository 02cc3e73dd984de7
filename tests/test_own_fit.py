"""HyperModels with a fit of their own, as KerasTuner's guides write them, train as other models do."""

import sys

import numpy as np
import pytest
from one_fit import Talk, built_by, go, go_on, kept_model, measured_by, recipes, taken_up

from hpsearch import hits
from hpsearch.errors import ExperimentRefused
from hpsearch.orders import Question, Stop
from hpsearch.paths import FitFiles
from hpsearch.trial import Built, How, Measure
from hpsearch.worker.building import discover
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.preflight import Sample, fly
from hpsearch.worker.task import Task

BUILD = """
import time

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from sklearn.model_selection import train_test_split


def network(hp):
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 4, 8), activation="relu"))
    model.add(keras.layers.Dropout(0.3))
    model.add(keras.layers.Dense(hp.task.classes, activation="softmax"))
    return model


def build(hp):
    model = network(hp)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)  # which has a state, too, and smaller graphs than Adam
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Built(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)


class Plain(Built):
    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, **kwargs)


class Batches(Built):
    def fit(self, hp, model, *args, **kwargs):
        batch_size = hp.Choice("batch_size", [16, 64])
        return model.fit(*args, batch_size=batch_size, shuffle=hp.Boolean("shuffle", default=True), **kwargs)


class Preprocessing(Built):
    def fit(self, hp, model, x, y, validation_data=None, **kwargs):
        power = hp.Float("power", 0.5, 2.0)
        x = keras.layers.Rescaling(2.0)(x ** power + np.random.normal(0, 0.01, x.shape))
        if validation_data:
            validation_data = 2 * validation_data[0] ** power, validation_data[1]
        return model.fit(x, y, validation_data=validation_data, **kwargs)


class Looping(keras_tuner.HyperModel):
    def build(self, hp):
        return network(hp)

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        train = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(99).batch(hp.Int("batch_size", 16, 64, step=16))
        rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-2)
        optimizer = keras.optimizers.SGD(rate, momentum=0.9)
        loss_of = keras.losses.SparseCategoricalCrossentropy()
        loss_metric, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()

        @tf.function
        def step(images, labels):
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(images, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            loss_metric.update_state(loss)

        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(6):
            loss_metric.reset_state()
            accuracy.reset_state()
            for images, labels in train:
                step(images, labels)
            accuracy.update_state(validation_data[1], model(validation_data[0]))
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"loss": loss_metric.result(), "val_accuracy": float(accuracy.result())})
        return float(accuracy.result())


class Watched(Built):
    def fit(self, hp, model, *args, callbacks, **kwargs):
        callbacks = [*callbacks, keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=9.0)]
        return model.fit(*args, callbacks=callbacks, **kwargs)


class Patient(Built):
    def fit(self, hp, model, *args, callbacks, **kwargs):
        callbacks = [*callbacks, keras.callbacks.EarlyStopping("loss", patience=1, min_delta=9.0)]
        return model.fit(*args, callbacks=callbacks, **kwargs)


class PatientFirst(Built):
    def fit(self, hp, model, *args, callbacks, **kwargs):
        callbacks = [keras.callbacks.EarlyStopping("loss", patience=1, min_delta=9.0), *callbacks]
        return model.fit(*args, callbacks=callbacks, **kwargs)


class Catching(Built):
    def fit(self, hp, model, *args, **kwargs):
        for _ in range(2):
            try:
                model.fit(*args, **kwargs)
            except Exception:
                pass


class Renaming(Built):
    def fit(self, hp, model, *args, **kwargs):
        try:
            model.fit(*args, **kwargs)
        except Exception as error:
            raise RuntimeError("no more") from error


class Twice(Built):
    def fit(self, hp, model, *args, epochs, **kwargs):
        model.fit(*args, epochs=2, **kwargs)
        model.compile(keras.optimizers.SGD(0.05), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model.fit(*args, epochs=epochs, initial_epoch=2, **kwargs)


class Looking(Built):
    def fit(self, hp, model, *args, epochs, **kwargs):
        first = model.fit(*args, epochs=2, **kwargs)
        if first.epoch != [0, 1] or set(first.history) != {"loss", "accuracy", "val_loss", "val_accuracy"}:
            raise ValueError(f"{first.epoch} {first.history}")
        rate = 0.05 * sum(first.history["loss"])
        model.compile(keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model.fit(*args, epochs=epochs, initial_epoch=2, **kwargs)


class Unpacking(keras.Model):
    def train_step(self, data):
        return super().train_step((data[0], data[1]["label"]))

    def test_step(self, data):
        return super().test_step((data[0], data[1]["label"]))


class Keyed(Built):
    def build(self, hp):
        model = network(hp)
        model = Unpacking(model.inputs, model.outputs[0])
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, x, y, validation_data, **kwargs):
        held = validation_data and (validation_data[0], {"label": validation_data[1]})
        return model.fit(x, {"label": y}, validation_data=held, **kwargs)


class Mixed(Built):
    def fit(self, hp, model, x, y, epochs, **kwargs):
        model.fit(x, y, epochs=2, **kwargs)
        data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(99).batch(30)
        return model.fit(data, epochs=epochs, initial_epoch=2, shuffle=False, **kwargs)


class Again(Built):
    def fit(self, hp, model, *args, epochs, **kwargs):
        model.fit(*args, epochs=2, **kwargs)
        return model.fit(*args, epochs=2, **kwargs)


class Unheard(Built):
    def fit(self, hp, model, x, y, validation_data, epochs, **kwargs):
        return model.fit(x, y, validation_data=validation_data, epochs=epochs, verbose=0)


class FromOne(Built):
    def fit(self, hp, model, x, y, callbacks, epochs, **kwargs):
        for epoch in range(1, epochs + 1):
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": 0.5})


class Slow(Built):
    def fit(self, hp, model, x, y, callbacks, epochs, **kwargs):
        for epoch in range(epochs):
            time.sleep(0.1)
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": 0.5})


class Late(Built):
    def fit(self, hp, model, x, y, callbacks, epochs, **kwargs):
        for epoch in range(epochs):
            hp.Choice(f"rate_{epoch}", [1, 2])
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": 0.5})


class Strict(Built):
    def fit(self, hp, model, x, y, validation_data, epochs, callbacks, verbose):
        return model.fit(x, y, validation_data=validation_data, epochs=epochs, callbacks=callbacks, verbose=verbose)


class Named(Built):
    def fit(self, hp, model, **kwargs):
        return model.fit(verbose=2, **kwargs)


class Weighing(Built):
    def fit(self, hp, model, class_weight=None, *args, **kwargs):
        return model.fit(*args, class_weight=class_weight, **kwargs)


@keras.saving.register_keras_serializable("tiny")
class Pairs(keras.Sequential):
    def train_step(self, data):
        images, labels = data
        return super().train_step(data)


def pairs(hp):
    model = Pairs(network(hp).layers)
    model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Dividing(Built):
    def fit(self, hp, model, x, y, callbacks, epochs, batch_size, **kwargs):
        x, held, y, labels = train_test_split(x, y, stratify=y)
        for epoch in range(epochs):
            given = [model.train_on_batch(*batch) for batch in batches(x, y, batch_size)]
            mean = sum(loss for loss, _ in given) / len(given)
            callbacks[0].on_epoch_end(epoch, {"loss": mean, "val_accuracy": model.test_on_batch(held, labels)[1]})


class Branching(Dividing):
    def fit(self, hp, model, x, y, batch_size, **given):
        train_test_split(x, y, stratify=y)
        if hp.Choice("kind", ["plain", "moving"]) == "moving":
            hp.Float("momentum", 0.0, 0.9)
        super().fit(hp, model, x, y, batch_size=batch_size, **given)


def batches(x, y, size):
    return [(x[size * one : size * (one + 1)], y[size * one : size * (one + 1)]) for one in range(len(x) // size)]


class Counting(Plain):
    steps = []

    def build(self, hp):
        model = build(hp)
        model.train_step = self.counted(model.train_step)
        return model

    def counted(self, step):
        return lambda data: (self.steps.append(data[0].shape[0]), step(data))[1]


class Demanding(Built):
    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, epochs=hp.Int("epochs", 1, 3), **kwargs)


class Diverging(Plain):
    def build(self, hp):
        model = network(hp)
        model.compile("sgd", loss=lambda true, predicted: keras.ops.sum(predicted) * float("nan"))
        return model


class CatchingNaN(Catching):
    build = Diverging.build


def refuse_other_steps(hp, model):
    if int(model.optimizer.iterations) != hp.task.epochs * hp.task.steps_per_epoch:
        raise ValueError("other steps than those of [train]")


class Stepwise(Built):
    def fit(self, hp, model, x, y, callbacks, epochs, **kwargs):
        for epoch in range(epochs):
            model.fit(x, y, epochs=1)
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": 0.5})
        refuse_other_steps(hp, model)


class Listed(Built):
    def fit(self, hp, model, x, y, **kwargs):
        model.fit([x], y, **kwargs)
        refuse_other_steps(hp, model)


class Uneven(Built):
    def fit(self, hp, model, x, y, **kwargs):
        return model.fit(x[:-5], y, **kwargs)
"""
TASK = Task((4, 4), 3, ("a", "b", "c"), rows=90, epochs=4, batch_size=32)


@pytest.fixture
def recipe(tmp_path):
    return recipes(tmp_path, BUILD)


def asked_by(talk):
    return [event.parameter.name for event in talk.told if isinstance(event, Question)]


def best(recipe, end):
    return (recipe.fits / end.attempt.fit.name / "best.bin").read_bytes()


@pytest.mark.parametrize("weights", [pytest.param((), marks=pytest.mark.long), (1.0, 0.5, 2.0)])
def test_a_fit_that_hands_all_on_trains_bit_for_bit_as_the_loop_through_model_fit_does(recipe, tmp_path, weights):
    ordinary = recipe("build", loop="fit", class_weights=weights, epochs=2)
    expected, one = go(ordinary)
    weighed = best(ordinary, expected)
    (tmp_path / "fits").rename(tmp_path / "ordinary")

    own = recipe("Plain", class_weights=weights, epochs=2)
    end, two = go(own)

    assert built_by(two).loop == "fit: through the HyperModel's own fit"
    assert (end.failure, end.score) == (None, expected.score)
    assert measured_by(two) == measured_by(one)
    assert best(own, end) == weighed


def test_a_batch_size_that_fit_asks_for_is_the_one_that_trains(recipe, tmp_path):
    expected, one = go(recipe("build", loop="fit", batch_sizes=(16,), epochs=2))
    (tmp_path / "fits").rename(tmp_path / "ordinary")

    end, two = go(recipe("Batches", epochs=2))

    assert asked_by(two) == ["units", "batch_size", "shuffle"]
    assert two.kinds().index(Built) == 3
    assert (end.failure, end.score) == (None, expected.score)
    assert measured_by(two) == measured_by(one)


@pytest.mark.parametrize("use", ["Stepwise", "Listed"])
def test_model_fit_takes_the_batch_size_of_the_trial_however_it_is_called(recipe, use):
    end, _ = go(recipe(use, batch_sizes=(45,)))

    assert (end.failure, end.epochs) == (None, 4)


def test_unshuffled_rows_come_in_their_order(recipe):
    made, values = recipe("Batches", epochs=1), {"units": 4, "batch_size": 16}
    _, shuffled = go(made, values=values | {"shuffle": True})
    _, unshuffled = go(made, values=values | {"shuffle": False}, number=2)

    assert measured_by(shuffled) != measured_by(unshuffled)


@pytest.mark.parametrize(
    ("use", "resumed"),  # and the epochs that are not made again
    [
        pytest.param("Plain", [1, 2, 3], marks=pytest.mark.long),
        ("Batches", [1, 2, 3]),
        ("Preprocessing", [1, 2, 3]),
        pytest.param("Twice", [1, 2], marks=pytest.mark.long),  # from where its first model.fit ended, as Looking
        pytest.param("Mixed", [1, 2], marks=pytest.mark.long),
        ("Looping", []),
        ("Watched", []),
    ],
)
def test_a_killed_fit_comes_to_the_very_end_of_an_undisturbed_one(recipe, tmp_path, use, resumed):
    made, killed = recipe(use), tmp_path / "killed"
    straight, one = go(made, Talk(copies={3: killed}), kind="final")
    assert straight.failure is None

    ended, two = go_on(made, killed, kind="final")

    assert (ended.failure, ended.epochs, ended.score) == (None, 4, straight.score)
    assert measured_by(two) == measured_by(one)
    anew = "; after a stop it begins anew, because it trains with more than a checkpoint has"
    assert (taken_up(one, two), anew in built_by(two).loop) == (resumed, not resumed)
    was, now = (read_model(kept_model(fits, "final")).get_weights() for fits in (made.fits, killed))
    assert all(np.array_equal(left, right) for left, right in zip(was, now, strict=True))


def test_a_fit_that_reads_its_history_finds_the_epochs_before_a_kill_in_it(recipe, tmp_path):
    made, copies = recipe("Looking"), {after: tmp_path / f"after {after}" for after in (1, 3)}
    straight, one = go(made, Talk(copies=copies))
    assert straight.failure is None

    for after, killed in copies.items():
        ended, two = go_on(made, killed)

        assert (ended.failure, ended.score) == (None, straight.score), after
        assert measured_by(two) == measured_by(one), after
        assert taken_up(one, two) == [1, 2][:after]


def test_a_fit_that_hands_on_its_labels_in_a_dictionary_trains(recipe):
    end, talk = go(recipe("Keyed", epochs=2))

    assert (end.failure, end.epochs) == (None, 2)
    assert "after a stop it begins anew, because it trains with more than a checkpoint has" in built_by(talk).loop


@pytest.mark.parametrize("use", ["Plain", "Looping"])
def test_early_stopping_ends_an_own_fit(recipe, use):
    end, _ = go(recipe(use, epochs=60, early_stopping=1), values={"units": 4, "learning_rate": 1e-4})

    assert (end.failure, end.epochs) == (None, end.best_epoch + 1)
    assert "early stopping" in end.reason


@pytest.mark.parametrize("use", ["Patient", "PatientFirst"])
def test_a_fit_that_ends_by_itself_says_so(recipe, use):
    end, _ = go(recipe(use))

    assert (end.how, end.failure, end.epochs) == (How.FINISHED, None, 2)
    assert end.reason == "its own fit ended by itself after epoch 2"


def test_the_first_epoch_of_a_loop_that_only_tells_its_end_has_taken_time_too(recipe):
    _, talk = go(recipe("Slow"))

    assert [event.seconds >= 0.1 for event in talk.told if isinstance(event, Measure)] == 4 * [True]


@pytest.mark.parametrize("use", ["Looping", "Catching", "Renaming"])
def test_a_fit_is_stopped_after_an_epoch_even_one_that_catches_its_stop(recipe, use):
    end, talk = go(recipe(use), Talk(stop_after=2))

    assert (end.how, end.reason, end.failure) == (How.INTERRUPTED, "enough", None)
    assert list(measured_by(talk)) == [1, 2]


def test_a_wish_to_stop_at_once_is_heeded_within_an_epoch(recipe):
    class Hurried(Talk):
        def send(self, event):
            super().send(event)
            if isinstance(event, Built):
                self._replies.append(Stop("interrupted", at_once=True))

    end, talk = go(recipe("Batches"), Hurried())

    assert (end.how, end.reason, end.epochs) == (How.INTERRUPTED, "interrupted", 0)
    assert Measure not in talk.kinds()


def test_a_fit_on_all_rows_runs_until_its_epoch_without_validation(recipe, tmp_path):
    end, talk = go(recipe("Preprocessing"), kind="whole", split="whole.npz", until=2)

    assert (end.failure, end.epochs, end.score) == (None, 2, None)
    assert not any(name.startswith("val_") for name in talk.told[-1].metrics)
    assert kept_model(tmp_path / "fits", "whole").exists()


def test_a_fold_takes_the_values_that_the_first_one_asked_for(recipe):
    made = recipe("Batches", epochs=2)
    _, first = go(made)
    values = {event.parameter.name: event.parameter.default for event in first.told if isinstance(event, Question)}

    end, _ = go(made, values=values, complete=True, number=2)

    assert (end.failure, end.epochs) == (None, 2)


def test_what_is_kept_of_a_raced_fit_is_what_the_model_reads_of_raw_images(recipe):
    plain, preprocessing = (recipe(use, hits=True, epochs=2) for use in ("Plain", "Preprocessing"))

    end, _ = go(plain)
    kept = hits.read(FitFiles(plain.fits / end.attempt.fit.name).hits)

    assert kept.mean() == pytest.approx(end.score)
    assert go(preprocessing, number=2)[0].failure is None


@pytest.mark.parametrize(
    ("use", "kind", "words"),
    [
        ("Unheard", "NotHeard", "no epoch that the callbacks it was given heard of\n  pass them on"),
        ("FromOne", "NotHeard", "tells its callbacks of epoch 1 where 0 is due\n  let it train all epochs in one go"),
        ("Again", "NotHeard", "tells its callbacks of epoch 0 where 2 is due"),
        ("Late", "ValueError", "fit asks for 'rate_1' when its training has begun"),
        ("Demanding", "TypeError", "fit() got multiple values for keyword argument 'epochs'"),
        ("Uneven", "ValueError", "cardinality"),
        ("Diverging", "non-finite", "epoch 1"),
        ("CatchingNaN", "non-finite", "epoch 1"),
    ],
)
def test_a_fit_that_cannot_be_followed_fails_with_the_mend(recipe, use, kind, words):
    end, _ = go(recipe(use))

    assert (end.how, end.failure.kind) == (How.FINISHED, kind)
    assert words in end.failure.message


def test_the_graph_loop_is_refused(recipe):
    end, _ = go(recipe("Plain", loop="graph"))

    assert "its HyperModel has a fit of its own\n  set train.loop to 'auto' or 'fit'" in end.failure.message


@pytest.mark.parametrize(
    ("use", "names"),
    [
        ("Batches", ["units", "batch_size", "shuffle"]),
        ("Preprocessing", ["units", "power"]),
        ("Looping", ["units", "batch_size", "learning_rate"]),
    ],
)
def test_what_fit_asks_for_is_found_before_the_first_trial(recipe, use, names):
    made = recipe(use)

    found = discover(made.root, made.build, TASK, 1, {"units": 4, "batch_size": 16}).parameters

    assert [parameter.name for parameter in found] == names
    assert found[0].kind == "fixed"


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("Unheard", "pass them on"), ("Demanding", "'epochs'\n *hand on those that it gets"), ("FromOne", "from 0"),
        ("Late", "fit asks for 'rate_1' when its training has begun"),
        ("Strict", "unexpected keyword argument 'class_weight'"), ("pairs", "too many values to unpack"),
    ],
)  # fmt: skip
def test_a_fit_that_fails_in_every_trial_is_refused_before_the_first(recipe, use, words):
    made = recipe(use)

    with pytest.raises(ExperimentRefused, match=words):
        fly(Sample(made.root, made.build, TASK, 1, {}, "val_accuracy", class_weights=(1.0, 0.5, 2.0)))


@pytest.mark.parametrize("use", ["Strict", "Named", "Weighing", "pairs", "Dividing"])
def test_a_fit_that_could_train_is_not_refused(recipe, use):
    made = recipe(use)

    found = fly(Sample(made.root, made.build, TASK, 1, {"units": 4}, "val_accuracy"))

    assert [parameter.name for parameter in found.parameters] == ["units"]


@pytest.mark.parametrize("use", ["Named", "Dividing"])
def test_a_fit_trains_that_takes_all_by_name_or_divides_its_rows_itself(recipe, use):
    end, _ = go(recipe(use, epochs=2))

    assert (end.failure, end.epochs) == (None, 2)


def test_what_a_branch_asks_for_after_a_fit_has_divided_its_rows_is_found(recipe):
    made = recipe("Branching")

    found = fly(Sample(made.root, made.build, TASK, 1, {}, "val_accuracy"))

    assert {parameter.name for parameter in found.parameters} == {"units", "kind", "momentum"}


def test_the_space_is_found_without_a_step_of_training(recipe):
    made = recipe("Counting")

    fly(Sample(made.root, made.build, TASK, 1, {}, "val_accuracy"))

    assert sys.modules["tiny"].Counting.steps == [32, 32]  # of the one model that is tried out


def test_a_fit_that_cannot_do_without_validation_rows_is_refused_where_a_model_will_be_trained_on_all(recipe):
    made = recipe("Looping")

    with pytest.raises(ExperimentRefused, match=r"let it do without when validation_data is None\n *tiny.py, line \d+"):
        fly(Sample(made.root, made.build, TASK, 1, {"units": 4, "batch_size": 32}, "val_accuracy", whole=True))
