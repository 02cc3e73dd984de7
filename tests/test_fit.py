"""One real fit in this process: what it asks, tells, keeps, and how it goes on after it was stopped."""

import re
import shutil
import time
from dataclasses import replace

import keras
import numpy as np
import pytest
from one_fit import Talk, built_by, go, go_on, kept_model, measured_by, recipes, taken_up

from hpsearch import hits, paths
from hpsearch.experiment import Experiment
from hpsearch.keeping import Keeping
from hpsearch.objective import Objective
from hpsearch.orders import Question, Steps, Stop
from hpsearch.paths import FitFiles
from hpsearch.records import Asked
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Built, Fit, How, Measure, Status, Trial, TrialResult
from hpsearch.worker.judging import predict
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.rebuilding import Remains, rebuild
from hpsearch.worker.task import Task

BUILD = """
import keras
import keras_tuner
import tensorflow as tf

def build(hp):
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 4, 8), activation="relu"))
    model.add(keras.layers.Dropout(0.3))
    model.add(keras.layers.Dense(hp.task.classes, activation="softmax"))
    schedule = keras.optimizers.schedules.CosineDecay(0.05, hp.task.epochs * hp.task.steps_per_epoch)
    model.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def warming(hp):
    model = build(hp)
    steps = 2 * hp.task.steps_per_epoch + 1
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 40, warmup_target=0.05, warmup_steps=steps)
    model.compile(keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def still(hp):
    model = build(hp)
    model.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def infinite(hp):
    model = build(hp)
    model.compile("sgd", loss=lambda true, predicted: keras.ops.sum(predicted) / 0.0)
    return model

def undefined(hp):
    model = build(hp)
    model.compile("sgd", loss=lambda true, predicted: keras.ops.sum(predicted) * float("nan"))
    return model

class Doubtful(keras.metrics.SparseCategoricalAccuracy):
    def result(self):
        return super().result() / 2

def doubtful(hp):
    model = build(hp)
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=[Doubtful(name="accuracy")])
    return model

class Worded(keras.metrics.Metric):
    def update_state(self, *given, **more):
        pass
    def result(self):
        return "good"

def worded(hp):
    model = build(hp)
    model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy", Worded(name="mood")])
    return model

class Mute(Exception):
    def __str__(self):
        raise ValueError

def mute(hp):
    raise Mute

def garbled(hp):
    raise ValueError("no such \\udc80 layer")

def leaving(hp):
    raise SystemExit(3)

def broken(hp):
    raise KeyError("no such layer")

def vast(hp):
    return build(hp), keras.ops.zeros((1 << 24, 1 << 24))

def greedy(hp):
    hp.Choice("batch_size", [1, 2])
    return build(hp)

def insisting(hp):
    try:
        hp.Int("units", 4, 8)
    except Exception:
        pass
    return without_input(hp)

def momentum():
    return keras.optimizers.SGD(0.05, momentum=0.9)  # which has a state, too, and smaller graphs than Adam

def compiled(model):
    model.compile(momentum(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def without_input(hp):
    return compiled(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]))

@keras.saving.register_keras_serializable("tiny")
class Own(keras.Model):
    def __init__(self, **given):
        super().__init__(**given)
        self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")

    def call(self, images):
        return self.dense(self.flat(images))

def subclassed(hp):
    return compiled(Own())

@keras.saving.register_keras_serializable("tiny")
class Restoring(Own):
    def __init__(self, **given):
        super().__init__(**given)
        self.restored = keras.layers.Dense(16)

    def call(self, images, training=False):
        flat, given = self.flat(images), super().call(images)
        if training:
            self.add_loss(keras.ops.mean(keras.ops.square(self.restored(given) - flat)))
        return given

def restoring(hp):
    return compiled(Restoring())

def divided(hp):
    model = build(hp)
    map = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.05), {".*/kernel": keras.optimizers.Adam(0.01)})
    model.compile(keras.optimizers.MultiOptimizer(map), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

@keras.saving.register_keras_serializable("tiny")
class Guessing(Own):
    def __init__(self, **given):
        super().__init__(**given)
        self.norm, self.guess = keras.layers.BatchNormalization(center=False, scale=False), keras.layers.Dense(16)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        off = self.guess(self.norm(y_pred, training=training)) - self.flat(x)
        return super().compute_loss(x, y, y_pred, sample_weight, training) + keras.ops.mean(keras.ops.square(off))

def guessing(hp):
    return compiled(Guessing())

@keras.saving.register_keras_serializable("tiny")
class Stepping(Guessing):
    def trained(self):
        return self.trainable_variables

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            given = self(images, training=True)
            loss = self.compute_loss(images, labels, given)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trained()), self.trained()))
        return self.compute_metrics(images, labels, given)

def stepping(hp):
    return compiled(Stepping())

@keras.saving.register_keras_serializable("tiny")
class Taught(Stepping):
    def trained(self):
        return self.dense.trainable_variables

def taught(hp):
    return compiled(Taught())

@keras.saving.register_keras_serializable("tiny")
class Traced(Own):
    trained, train_step = Stepping.trained, tf.function(Stepping.train_step)

def traced(hp):
    return compiled(Traced())

@keras.saving.register_keras_serializable("tiny")
class Halves(Guessing):
    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(images, labels, given := self(images, training=True))
        steps = list(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        self.optimizer.apply_gradients(steps[:2])
        self.optimizer.apply_gradients(steps[2:])
        return self.compute_metrics(images, labels, given)

def halves(hp):
    return compiled(Halves())

@keras.saving.register_keras_serializable("tiny")
class Weighed(Stepping):
    def train_step(self, data):
        images, labels, _ = data
        return super().train_step((images, labels))

def weighed(hp):
    return compiled(Weighed())

@keras.saving.register_keras_serializable("tiny")
class Dimming(Stepping):
    def train_step(self, data):
        images, labels = data
        return super().train_step((images * tf.random.uniform([]), labels))

def dimming(hp):
    return compiled(Dimming())

class Reading(Stepping):
    def train_step(self, data):
        assert float(keras.ops.max(data[0])) > 0  # which a graph cannot say
        return super().train_step(data)

def reading(hp):
    model = Reading()
    model.compile(momentum(), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model

@keras.saving.register_keras_serializable("tiny")
class Mirroring(keras.layers.Layer):
    def call(self, images, training=False):
        return tf.image.random_flip_left_right(images[..., None]) if training else images

def mirroring(hp):
    return compiled(keras.Sequential([keras.Input(hp.task.image_shape), Mirroring(), *build(hp).layers]))

@keras.saving.register_keras_serializable("tiny")
class Forgetting(keras.layers.Layer):
    def __init__(self, factor=1.0, **given):
        super().__init__(**given)
        self.factor = factor

    def call(self, images):
        return self.factor * images

    def get_config(self):
        return super().get_config()

def forgetting(hp):
    return compiled(keras.Sequential([keras.Input(hp.task.image_shape), Forgetting(9.0), *build(hp).layers]))

@keras.saving.register_keras_serializable("tiny")
class Counting(keras.layers.Layer):
    def build(self, shape):
        self.steps = tf.Variable(0.0, trainable=False, name="steps")

    def call(self, images, training=False):
        if training:
            self.steps.assign_add(1.0)
        return images + self.steps / 100

def counting(hp):
    return compiled(keras.Sequential([keras.Input(hp.task.image_shape), Counting(), *build(hp).layers]))

class Handing(keras_tuner.HyperModel):
    def __init__(self, build):
        super().__init__()
        self._build = build

    def build(self, hp):
        return self._build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, **kwargs)

own_guessing, own_stepping, own_taught = Handing(guessing), Handing(stepping), Handing(taught)
own_reading, own_traced, own_dimming = Handing(reading), Handing(traced), Handing(dimming)

class Twofold(keras.Sequential):
    def compile(self, *given, **more):
        super().compile(*given, **more)
        self.others = {"second": keras.optimizers.Adam(0.05)}

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            given = self(images, training=True)
            loss = self.compute_loss(images, labels, given)
        steps = list(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        self.optimizer.apply_gradients(steps[:2])
        self.others["second"].apply_gradients(steps[2:])
        return self.compute_metrics(images, labels, given)

def twofold(hp):
    return compiled(Twofold(build(hp).layers))
"""


@pytest.fixture
def recipe(tmp_path):
    return recipes(tmp_path, BUILD)


def test_a_fit_asks_tells_its_model_and_measures_every_epoch(recipe):
    end, talk = go(recipe())

    assert talk.kinds() == [Question, Built, Measure, Measure, Measure, Measure]
    assert set(talk.told[2].metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert (end.how, end.epochs, end.failure) == (How.FINISHED, 4, None)
    assert end.score == max(event.metrics["val_accuracy"] for event in talk.told[2:])


@pytest.mark.parametrize("loop", ["graph", pytest.param("fit", marks=pytest.mark.long)])
def test_a_fit_that_is_raced_keeps_which_rows_its_best_epoch_got_right(recipe, loop):
    made = recipe(hits=True, loop=loop)

    end, _ = go(made)

    kept = hits.read(FitFiles(made.fits / end.attempt.fit.name).hits)
    assert len(kept) == 30
    assert kept.mean() == pytest.approx(end.score)


@pytest.mark.parametrize(
    ("build", "kind", "raced"), [("build", "search", False), ("build", "final", True), ("doubtful", "search", True)]
)
def test_nothing_is_kept_of_finals_without_a_race_or_where_the_accuracy_is_another(recipe, build, kind, raced):
    made = recipe(build, hits=raced, epochs=2)

    end, _ = go(made, kind=kind)

    assert end.failure is None
    assert not FitFiles(made.fits / end.attempt.fit.name).hits.exists()


def test_hits_come_back_bit_by_bit_or_not_at_all(tmp_path):
    given = np.random.default_rng(1).random(1_003) < 0.9
    file = tmp_path / "hits.bin"

    hits.keep(file, given)
    content = file.read_bytes()

    assert (hits.read(file) == given).all()
    assert len(content) == 32 + 8 + 126
    for place in range(0, len(content), 7):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert hits.read(file) is None
        file.write_bytes(content[:place])
        assert hits.read(file) is None
    assert hits.read(tmp_path / "none") is None


@pytest.mark.parametrize(("build", "epochs"), [("warming", 3), ("build", 0)])
def test_a_fit_tells_with_its_model_how_many_epochs_the_learning_rate_climbs(recipe, build, epochs):
    _, talk = go(recipe(build))

    (built,) = [event for event in talk.told if isinstance(event, Built)]
    rates = [event.metrics["learning_rate"] for event in talk.told if isinstance(event, Measure)]
    assert built.warmup_epochs == epochs
    assert rates.index(max(rates)) + 1 == max(1, epochs)


@pytest.mark.promise("64", "H28")
@pytest.mark.parametrize(("harm", "words"), [("gone", "images.npy"), ("of objects", "Python objects")])
def test_data_that_are_gone_or_no_longer_data_fail_no_trial(recipe, harm, words):
    made = recipe()
    file = made.data / "train" / "images.npy"
    file.unlink()
    if harm == "of objects":
        np.save(file, np.array([print], object), allow_pickle=True)

    end, _ = go(made)

    assert (end.how, end.failure.kind) == (How.LOST, "DataRefused")
    assert words in end.failure.message


def test_known_values_are_not_asked_again(recipe):
    _, talk = go(recipe(), values={"units": 6})

    assert Question not in talk.kinds()


def test_a_searched_batch_size_is_asked_before_the_model_is_built(recipe):
    _, talk = go(recipe(batch_sizes=(16, 32)))

    assert [event.parameter.name for event in talk.told if isinstance(event, Question)] == ["batch_size", "units"]


def test_a_model_that_asks_for_a_searched_batch_size_fails_with_the_mend(recipe):
    end, _ = go(recipe("greedy", batch_sizes=(16, 32)))

    assert "hp.task.batch_size" in end.failure.message


def test_a_stopped_fit_goes_on_to_the_very_end_of_an_undisturbed_one(recipe, tmp_path):
    straight, one = go(recipe(), kind="final")
    weights = keras.models.load_model(kept_model(tmp_path / "fits", "final")).get_weights()
    (tmp_path / "fits").rename(tmp_path / "straight")

    stopped, two = go(recipe(), Talk(stop_after=2), kind="final")
    ended, three = go(recipe(), kind="final", number=2)
    assert ended.failure is None

    assert (stopped.how, stopped.reason, stopped.epochs) == (How.INTERRUPTED, "enough", 2)
    assert measured_by(two, three) == measured_by(one)
    assert [event.epoch for event in three.told if isinstance(event, Measure)] == [1, 2, 3, 4]
    assert ended.score == straight.score
    resumed = keras.models.load_model(kept_model(tmp_path / "fits", "final")).get_weights()
    assert all(np.array_equal(left, right) for left, right in zip(weights, resumed, strict=True))


@pytest.mark.parametrize(
    ("line", "alike"),
    [
        ("keras.utils.set_random_seed(42)", True),
        ("__import__('random').seed(42)", True),
        ("tf.random.set_seed(42)", True),
        ("start = keras.initializers.HeNormal()", False),
    ],
)
def test_a_seed_set_by_the_module_is_not_that_of_its_fits_and_what_it_draws_stays_drawn(
    plain_weights, tmp_path, line, alike
):
    weights = weights_of(tmp_path, f"{BUILD}\n{line}\n")

    assert (weights == plain_weights) == alike


@pytest.fixture(scope="module")
def plain_weights(tmp_path_factory):
    return weights_of(tmp_path_factory.mktemp("plain"), BUILD)


def weights_of(folder, code):
    """What a fit of one epoch keeps, as bytes."""
    made = recipes(folder, code)(epochs=1)
    end, _ = go(made)
    assert end.failure is None
    return FitFiles(made.fits / end.attempt.fit.name).weights.read_bytes()


def test_a_checkpoint_of_other_values_is_let_lie(recipe):
    straight, one = go(recipe(), values={"units": 8})
    shutil.rmtree(recipe().fits)
    go(recipe(), Talk(stop_after=2), values={"units": 4})

    ended, two = go(recipe(), values={"units": 8}, number=2)

    assert measured_by(two) == measured_by(one)
    assert (ended.failure, ended.score) == (None, straight.score)


def test_a_final_whose_model_is_gone_is_made_from_its_checkpoint_and_without_its_weights_anew(recipe):
    _, one = go(recipe(), kind="final")
    model = kept_model(recipe().fits, "final")
    weights = keras.models.load_model(model).get_weights()

    for gone in (model, model.with_name("best.bin")):
        model.unlink()
        gone.unlink(missing_ok=True)
        again, two = go(recipe(), kind="final", number=2)

        assert again.failure is None
        assert measured_by(two) == measured_by(one)
        made = keras.models.load_model(model).get_weights()
        assert all(np.array_equal(left, right) for left, right in zip(weights, made, strict=True))


def test_a_raced_fit_that_time_cut_short_goes_on_though_others_are_better_and_it_no_longer_improves(recipe, tmp_path):
    made = recipe("still", hits=True)
    stopped, _ = go(made, Talk(stop_after=2))
    end_by_time(tmp_path, stopped.score)

    ended, _ = go(made, number=2)

    assert (ended.failure, ended.best_epoch, ended.epochs) == (None, 1, 4)
    assert hits.read(FitFiles(made.fits / ended.attempt.fit.name).hits).mean() == pytest.approx(ended.score)


def end_by_time(folder, score):
    """What the coordinator does with trial 0 when the time is over, in a study that keeps nobody's weights."""
    wanted = {"name": "a", "model": {"build": "m:f"}, "train": {"keep": 0}}
    study = Study(Experiment.model_validate(wanted), paths.Study(folder))
    result = TrialResult(Trial(0), Status.PRUNED, score, reason=OUT_OF_TIME)
    study.record(Asked(result.trial))
    study.record(result)
    Keeping(study).tidy(result)
    study.close()


def test_a_fit_whose_model_has_another_optimizer_is_begun_anew_to_the_very_same_end_and_says_why(recipe, tmp_path):
    made, killed = recipe("twofold", epochs=2), tmp_path / "killed"
    straight, one = go(made, Talk(copies={1: killed}))

    ended, two = go_on(made, killed)

    assert built_by(two).loop == (
        "fit: because Twofold has its own train_step; "
        "after a stop it begins anew, because a checkpoint leaves out the optimizers in 'others'"
    )
    assert measured_by(two) == measured_by(one)
    assert taken_up(one, two) == []
    assert (ended.failure, ended.score) == (None, straight.score)
    assert best_of(made.fits) == best_of(killed)


def best_of(fits):
    return (fits / Fit(0, 11).name / "best.bin").read_bytes()


unbuilt = pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer '")  # Keras's word of such layers


OF_THE_SAME_WAYS = [
    pytest.param(build, marks=pytest.mark.long) for build in ("stepping", "own_guessing", "own_taught", "own_traced")
]


@unbuilt
@pytest.mark.parametrize("build", ["guessing", "taught", "traced", "halves", "own_stepping", *OF_THE_SAME_WAYS])
def test_variables_that_only_the_first_step_makes_come_back_after_a_kill_and_of_kept_weights(recipe, tmp_path, build):
    made, killed = recipe(build, epochs=2), tmp_path / "killed"
    straight, one = go(made, Talk(copies={1: killed}))
    assert straight.failure is None
    assert len({metrics["val_loss"] for metrics in measured_by(one).values()}) > 1

    ended, two = go_on(made, killed)

    assert not built_by(two).anew
    assert (ended.failure, ended.score) == (None, straight.score)
    assert taken_up(one, two) == [1]
    assert measured_by(two) == measured_by(one)
    assert best_of(made.fits) == best_of(killed)
    assert accuracy_of_rebuilt(made, tmp_path) == pytest.approx(ended.score)


def accuracy_of_rebuilt(made, folder):
    """How many of the validation rows the model reads rightly that is made of the weights that its fit has kept."""
    task = Task((4, 4), 3, made.class_names, 90, made.epochs, 32)
    fit = Fit(0, 11)
    rebuild(folder, Remains(made.build, {}, task, made.fits / fit.name / "best.bin", fit.seed), folder / "model.keras")
    images, labels = (np.load(made.data / "train" / name)[90:] for name in ("images.npy", "labels.npy"))
    read, _ = predict(read_model(folder / "model.keras"), images)
    return (read == labels).mean()


@unbuilt
@pytest.mark.parametrize("build", ["without_input", "subclassed", "restoring", "weighed"])
def test_a_model_without_an_input_layer_is_made_again_of_its_kept_weights(recipe, tmp_path, build):
    made = recipe(build, epochs=1, class_weights=(1.0, 2.0, 1.0) if build == "weighed" else ())

    end, _ = go(made)

    assert accuracy_of_rebuilt(made, tmp_path) == pytest.approx(end.score)


@unbuilt
@pytest.mark.parametrize("build", ["reading", pytest.param("own_reading", marks=pytest.mark.long)])
def test_a_fit_whose_variables_cannot_be_made_before_its_first_step_is_begun_anew(recipe, tmp_path, build):
    made, killed = recipe(build, epochs=2), tmp_path / "killed"
    straight, one = go(made, Talk(copies={1: killed}))
    assert straight.failure is None

    ended, two = go_on(made, killed)

    assert built_by(two).loop.endswith("because only its first step shows which weights it trains")
    assert measured_by(two) == measured_by(one)
    assert taken_up(one, two) == []
    assert ended.failure is None


DRAWN = r"a checkpoint leaves out how far TensorFlow's own random numbers are \(RandomUniform\)"


@unbuilt
@pytest.mark.parametrize(
    ("build", "loop", "why"),
    [
        ("mirroring", "graph", DRAWN),
        ("counting", "graph", r"a checkpoint leaves out the variables '.*steps:0', which Keras does not know"),
        ("dimming", "fit: because Dimming has its own train_step", DRAWN),
        ("own_dimming", "fit: through the HyperModel's own fit", "it trains with more than a checkpoint has"),
    ],
)
def test_a_fit_with_state_of_tensorflows_own_is_begun_anew_to_the_very_same_end_and_says_why(
    recipe, tmp_path, build, loop, why
):
    made, killed = recipe(build, epochs=2), tmp_path / "killed"
    straight, one = go(made, Talk(copies={1: killed}), kind="final")

    ended, two = go_on(made, killed, kind="final")

    assert re.fullmatch(f"{loop}; after a stop it begins anew, because {why}", built_by(two).loop)
    assert (measured_by(two), ended.score) == (measured_by(one), straight.score)
    assert taken_up(one, two) == []


def test_a_fit_whose_checkpoint_does_not_fit_its_model_is_begun_anew_and_says_so(recipe, tmp_path):
    straight, one = go(recipe("still"))
    (tmp_path / "fits").rename(tmp_path / "straight")
    go(recipe("build"), Talk(stop_after=2))

    ended, two = go(recipe("still"), number=2)

    assert "begun anew after a stop, because the checkpoint is another model's: " in built_by(two).loop
    assert measured_by(two) == measured_by(one)
    assert (ended.failure, ended.score) == (None, straight.score)


def test_score_and_weights_stay_one_epochs_after_a_kill_between_the_files_of_both(recipe):
    made, values = recipe(), {"units": 8}
    first, _ = go(made, Talk(stop_after=2), values=values)
    checkpoint = made.fits / first.attempt.fit.name / "checkpoint.bin"
    before = checkpoint.read_bytes()
    second, _ = go(made, Talk(stop_after=3), number=2, values=values)
    assert second.score > first.score
    checkpoint.write_bytes(before)
    images = np.load(made.data / "train" / "images.npy")
    images[90:] = 0  # so that the third epoch comes out otherwise, as it may on a card
    np.save(made.data / "train" / "images.npy", images)

    end, _ = go(made, number=3, values=values)

    assert (end.failure, end.score, end.best_epoch) == (None, second.score, 3)
    assert end.metrics == second.metrics


def test_a_raced_fit_whose_best_weights_were_deleted_keeps_its_score_and_no_hits(recipe):
    made = recipe(hits=True)
    stopped, _ = go(made, Talk(stop_after=3))
    weights = made.fits / stopped.attempt.fit.name / "best.bin"
    weights.unlink()

    end, _ = go(made, number=2)

    assert (end.how, end.failure, end.score) == (How.FINISHED, None, stopped.score)
    assert not weights.with_name("hits.bin").exists()


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_fit_whose_weights_are_divided_among_optimizers_is_kept_and_read(recipe, precision):
    recipe = recipe("divided", steps=Steps(precision=precision))

    try:
        end, _ = go(recipe, kind="final")
    finally:
        keras.config.set_dtype_policy("float32")

    assert (end.how, end.failure, end.epochs) == (How.FINISHED, None, 4)
    assert read_model(kept_model(recipe.fits, "final")).count_params() > 0


def test_a_final_whose_model_its_file_does_not_hold_fails_and_leaves_no_model(recipe):
    made = recipe("forgetting")

    end, _ = go(made, kind="final")

    assert (end.how, end.failure.kind, end.epochs) == (How.FINISHED, "NotKept", 4)
    assert "answers otherwise" in end.failure.message
    assert not list(made.fits.rglob("*.keras"))


@pytest.mark.promise("54")
def test_a_final_that_keeps_its_epochs_makes_no_folder_of_a_removed_study_anew(recipe):
    made = recipe("still", keep_epochs=True)

    class Removing(Talk):
        def send(self, event):
            super().send(event)
            if isinstance(event, Measure):
                shutil.rmtree(made.fits)

    end, _ = go(made, Removing(), kind="final")

    assert (end.how, end.epochs, end.failure.kind) == (How.LOST, 2, "FolderUnusable")
    assert not made.fits.exists()


@pytest.fixture
def begun(recipe, monkeypatch):
    """A recipe whose session began with the code as it is now, the file of that code, and what is to be in it later.

    That is written while a moment is waited for.
    """
    made, later = recipe("still", epochs=1, texts={"tiny.py": BUILD.encode()}), []
    file = made.root / "tiny.py"
    monkeypatch.setattr(time, "sleep", lambda _seconds: later and file.write_text(later.pop()))
    return made, file, later


@pytest.mark.promise("43")
@pytest.mark.parametrize("text", [BUILD.replace("4, 8", "4, 9"), "def build(hp:", None])
def test_no_model_is_built_by_code_that_changed_since_its_session_began(begun, text):
    made, file, _ = begun
    if text is None:
        file.unlink()
    else:
        file.write_text(text)

    end, talk = go(made)

    assert (end.how, end.failure.kind, talk.told) == (How.LOST, "StudyChanged", [])
    assert "while the study ran, in tiny.py\n  bring back what was there" in end.failure.message


@pytest.mark.promise("43")
def test_code_that_a_branch_imports_has_to_be_that_of_its_session_too(begun):
    made, file, _ = begun
    text = "def still(hp):\n    import beside\n"
    file.write_text(text)
    (made.root / "beside.py").write_text("UNITS = 5\n")

    end, _ = go(replace(made, texts={"tiny.py": text.encode(), "beside.py": b"UNITS = 4\n"}))

    assert (end.how, end.failure.kind) == (How.LOST, "StudyChanged")
    assert "in beside.py\n" in end.failure.message


@pytest.mark.promise("43")
def test_a_comment_that_is_written_while_a_study_runs_changes_nothing(begun):
    made, file, _ = begun
    file.write_text(f"# a comment\n{BUILD}")

    end, _ = go(made)

    assert (end.how, end.failure, end.epochs) == (How.FINISHED, None, 1)


@pytest.mark.promise("43")
@pytest.mark.parametrize("half", ["", BUILD[:400]])
def test_an_attempt_that_met_a_file_which_an_editor_was_writing_is_made_again(begun, half):
    made, file, later = begun
    file.write_text(half)
    later.append(BUILD)

    end, _ = go(made)

    assert (end.how, end.failure) == (How.LOST, None)
    assert end.reason == "the code of the search space was being written just now"


def test_a_stop_is_heeded_though_the_build_that_heard_it_goes_on(recipe):
    class Stopping(Talk):
        def send(self, event):
            super().send(event)
            if isinstance(event, Question):
                self._replies[:] = [Stop("enough")]

    end, talk = go(recipe("insisting"), Stopping())

    assert (end.how, end.reason, end.epochs) == (How.INTERRUPTED, "enough", 0)
    assert measured_by(talk) == {}


def test_early_stopping_ends_a_fit_that_no_longer_improves(recipe):
    end, _ = go(recipe(epochs=60, early_stopping=2))

    assert end.epochs == end.best_epoch + 2 < 60
    assert "early stopping" in end.reason


def test_a_fit_on_all_rows_runs_until_its_epoch_without_validation(recipe, tmp_path):
    end, talk = go(recipe(), kind="whole", split="whole.npz", until=2)

    assert (end.epochs, end.score) == (2, None)
    assert not any(name.startswith("val_") for name in talk.told[-1].metrics)
    assert kept_model(tmp_path / "fits", "whole").exists()


def test_a_fit_on_all_rows_that_is_to_be_shorter_than_it_was_is_made_anew(recipe):
    _, one = go(recipe(), kind="whole", split="whole.npz", until=2)
    weights = keras.models.load_model(kept_model(recipe().fits, "whole")).get_weights()
    shutil.rmtree(recipe().fits)
    go(recipe(), kind="whole", split="whole.npz", until=3)

    again, two = go(recipe(), kind="whole", split="whole.npz", until=2, number=2)

    assert (again.failure, again.epochs) == (None, 2)
    assert measured_by(two) == measured_by(one)
    made = keras.models.load_model(kept_model(recipe().fits, "whole")).get_weights()
    assert all(np.array_equal(left, right) for left, right in zip(weights, made, strict=True))


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        ("vast", "oom", "OOM when allocating tensor"),
        ("broken", "KeyError", "no such layer"),
        pytest.param("infinite", "non-finite", "epoch 1", marks=pytest.mark.promise("24", "P16")),
        pytest.param("undefined", "non-finite", "epoch 1", marks=pytest.mark.promise("23", "P16")),
        pytest.param("worded", "NoNumber", "'mood' gave 'good' (str)", marks=pytest.mark.promise("25")),
        ("mute", "Mute", "it cannot say what it is"),
        ("garbled", "ValueError", "no such \\udc80 layer"),
        pytest.param("leaving", "exit", "exit code 3 without a result", marks=pytest.mark.promise("21")),
        ("absent", "ExperimentRefused", "absent"),
    ],
)
def test_what_goes_wrong_is_told_as_the_failure_of_the_attempt(recipe, build, kind, words):
    end, _ = go(recipe(build))

    assert isinstance(end, AttemptEnd)
    assert (end.how, end.failure.kind) == (How.FINISHED, kind)
    assert words in end.failure.message


@pytest.mark.promise("36")
def test_a_build_that_asks_for_more_than_an_earlier_one_with_the_same_values_has_drifted(recipe):
    end, _ = go(recipe(), values={}, complete=True)

    assert end.failure.kind == "space drift"
    assert "'units'" in end.failure.message


@pytest.mark.promise("25")
def test_a_metric_that_the_model_lacks_is_named_with_those_it_has(recipe):
    wanted = recipe()
    object.__setattr__(wanted, "objective", Objective("max", "val_f1"))

    end, _ = go(wanted)

    assert "'val_f1'" in end.failure.message
    assert "val_accuracy" in end.failure.message
