"""Whole runs of experiments whose HyperModel has a fit of its own."""

import json

import pytest
from commands import hpsearch, lay_out, run, settings, told, trials

from hpsearch import paths
from hpsearch.failpoints import COUNTS, FAILPOINT
from hpsearch.records import AttemptBegan
from hpsearch.study import read
from hpsearch.trial import AttemptEnd, How

SPACE = """
import keras
import keras_tuner
import tensorflow as tf


class Digits(keras_tuner.HyperModel):
    def build(self, hp):
        layers = [keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dropout(0.1)]
        model = keras.Sequential([*layers, keras.layers.Dense(hp.task.classes, activation="softmax")])
        optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-2))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class Batches(Digits):
    def fit(self, hp, model, *args, **kwargs):
        batch_size = hp.Choice("batch_size", [32, 64, 128])
        return model.fit(*args, batch_size=batch_size, shuffle=hp.Boolean("shuffle"), **kwargs)


class Negative(Digits):
    def fit(self, hp, model, x, y, validation_data, **kwargs):
        return model.fit(1 - x, y, validation_data=(1 - validation_data[0], validation_data[1]), **kwargs)


class Strict(Digits):
    def fit(self, hp, model, x, y, validation_data, epochs, callbacks, verbose):
        return model.fit(x, y, validation_data=validation_data, epochs=epochs, callbacks=callbacks, verbose=verbose)


class Looping(Digits):
    def fit(self, hp, model, x, y, validation_data, callbacks, epochs, **kwargs):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(hp.Int("batch_size", 32, 64, step=32))
        for epoch in range(epochs):
            for images, labels in data.shuffle(50):
                model.train_on_batch(images, labels)
            logs = model.evaluate(*validation_data, verbose=0, return_dict=True) if validation_data else {}
            for callback in callbacks:
                callback.on_epoch_end(epoch, {f"val_{name}": value for name, value in logs.items()})
"""
EXPERIMENT = """
name = "digits"
seed = 3
[data]
source = "idx"
folder = "images"
[model]
build = "spaces.small:Batches"
[space]
batch_size = [32, 128]
learning_rate = 0.01
[search]
tuner = "keras-tuner.grid"
[train]
epochs = 3
[final]
finalists = 1
seeds = 1
[workers]
count = 2
[tracking]
mlflow = false
"""


@pytest.fixture
def project(tmp_path):
    return lay_out(tmp_path, SPACE, EXPERIMENT)


def searched(project, name, *given, **more):
    """The trials of a study of that name, searched with so many keys set."""
    hpsearch(project, "run", "experiments/digits.toml", "--name", name, *settings(*given), **more)
    return trials(project, name)


@pytest.mark.long
def test_a_grid_over_what_fit_asks_for_survives_kills_and_its_trials_and_winner_can_be_made_again(project):
    (project / "counts").mkdir()
    kills = {FAILPOINT: "epoch.told=kill@3", COUNTS: str(project / "counts")}

    disturbed = searched(project, "killed", **kills)
    straight = searched(project, "straight")

    ends = [news.body for news in read(paths.Project(project), "killed") if isinstance(news.body, AttemptEnd)]
    assert [end.how for end in ends].count(How.LOST) == 1
    points = {(32, False), (32, True), (128, False), (128, True)}
    assert {(one["values"]["batch_size"], one["values"]["shuffle"]) for one in disturbed} == points
    scores = [{json.dumps(one["values"]): one["score"] for one in found} for found in (disturbed, straight)]
    assert scores[0] == scores[1]
    assert len(set(scores[0].values())) > 1
    assert "fit: through the HyperModel's own fit" in hpsearch(project, "trial", "straight", "1").stdout
    assert "came out the same" in hpsearch(project, "trial", "straight", "1", "--replay").stdout
    hpsearch(project, "compare", "straight", "straight:1")
    hpsearch(project, "export", "straight", "--out", str(project / "out"))
    best = told(project, "best", "straight")
    assert best["model_accuracy"] > 0.7
    card = json.loads((project / "out" / "model_card.json").read_text())
    assert card["training"]["batch_size"] is None  # only its code knows
    assert card["values"]["batch_size"] in {32, 128}


@pytest.mark.promise("25", "P20")
def test_a_fit_that_does_not_give_the_objectives_metric_is_refused_before_any_trial(project):
    words = settings("model.build=spaces.small:Looping", "search.objective=max val_f1")

    refused = hpsearch(project, "run", "experiments/digits.toml", *words, code=2)

    assert "the model does not give 'val_f1'" in refused.stderr
    assert "it gives: val_accuracy, val_loss" in refused.stderr


def test_a_fit_that_preprocesses_what_its_model_does_not_is_judged_on_raw_images(project):
    found = searched(
        project, "negative", "model.build=spaces.small:Negative", "search.tuner=optuna.random", "search.trials=1"
    )

    best = told(project, "best", "negative")

    assert found[0]["score"] > 0.6
    assert best["model_accuracy"] < 0.3


def test_a_fit_that_takes_no_class_weights_is_refused_before_the_first_trial_where_there_are_some(project):
    wanted = settings("model.build=spaces.small:Strict", "train.class_weight=balanced")

    refused = run(project, *wanted, code=2)

    assert "got an unexpected keyword argument 'class_weight'" in refused.stderr


@pytest.mark.long
def test_a_training_loop_of_ones_own_is_pruned_and_its_winner_trained_on_all_folds(project):
    (project / "experiments" / "digits.toml").write_text(EXPERIMENT.replace("learning_rate = 0.01\n", ""))

    found = searched(
        project, "loops", "model.build=spaces.small:Looping", "search.tuner=optuna.random", "search.trials=6",
        "search.pruner=median", "search.pruner_options={startup_trials=1, warmup_epochs=2}", "train.epochs=5",
        "data.folds=2", "space.batch_size=64",
    )  # fmt: skip

    assert "pruned" in {one["status"] for one in found}
    assert told(project, "best", "loops")["model_accuracy"] > 0.7
    began = [news.body for news in read(paths.Project(project), "loops") if isinstance(news.body, AttemptBegan)]
    assert "whole" in {one.attempt.fit.kind for one in began}
