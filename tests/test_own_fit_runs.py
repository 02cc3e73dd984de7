"""Whole runs of experiments whose HyperModel has a fit of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from data_makers import write_pair
from sklearn.datasets import load_digits

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
build = "space:Batches"
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
    digits = load_digits()
    images = np.repeat(np.repeat(digits.images * 15, 2, axis=1), 2, axis=2).astype(np.uint8)
    write_pair(tmp_path / "images", "train", images, digits.target)
    (tmp_path / "space.py").write_text(SPACE)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "digits.toml").write_text(EXPERIMENT)
    return tmp_path


def hpsearch(project, *words, code=0, **more):
    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", *words], capture_output=True, text=True, timeout=240, check=False,
        cwd=project, env={**os.environ, "HPSEARCH_DATA": str(project / "cache"), "NO_COLOR": "1", **more},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def run(project, name, *settings, **more):
    words = [word for setting in settings for word in ("--set", setting)]
    hpsearch(project, "run", "experiments/digits.toml", "--name", name, *words, **more)
    return json.loads(hpsearch(project, "show", name, "--json"))["trials"]


@pytest.mark.long
def test_a_grid_over_what_fit_asks_for_survives_kills_and_its_trials_and_winner_can_be_made_again(project):
    (project / "counts").mkdir()
    kills = {FAILPOINT: "epoch.told=kill@3", COUNTS: str(project / "counts")}

    disturbed = run(project, "killed", **kills)
    straight = run(project, "straight")

    ends = [news.body for news in read(paths.Project(project), "killed") if isinstance(news.body, AttemptEnd)]
    assert [end.how for end in ends].count(How.LOST) == 1
    points = {(32, False), (32, True), (128, False), (128, True)}
    assert {(one["values"]["batch_size"], one["values"]["shuffle"]) for one in disturbed} == points
    scores = [{json.dumps(one["values"]): one["score"] for one in trials} for trials in (disturbed, straight)]
    assert scores[0] == scores[1]
    assert len(set(scores[0].values())) > 1
    assert "fit: through the HyperModel's own fit" in hpsearch(project, "trial", "straight", "1")
    assert "came out the same" in hpsearch(project, "trial", "straight", "1", "--replay")
    hpsearch(project, "compare", "straight", "straight:1")
    hpsearch(project, "export", "straight", "--out", str(project / "out"))
    best = json.loads(hpsearch(project, "best", "straight", "--json"))
    assert best["model_accuracy"] > 0.7
    card = json.loads((project / "out" / "model_card.json").read_text())
    assert card["training"]["batch_size"] is None  # only its code knows
    assert card["values"]["batch_size"] in {32, 128}


def test_a_fit_that_preprocesses_what_its_model_does_not_is_judged_on_raw_images(project):
    trials = run(project, "negative", "model.build=space:Negative", "search.tuner=optuna.random", "search.trials=1")

    best = json.loads(hpsearch(project, "best", "negative", "--json"))

    assert trials[0]["score"] > 0.6
    assert best["model_accuracy"] < 0.3


def test_a_fit_that_takes_no_class_weights_is_refused_before_the_first_trial_where_there_are_some(project):
    settings = ("--set", "model.build=space:Strict", "--set", "train.class_weight=balanced")

    said = hpsearch(project, "run", "experiments/digits.toml", *settings, code=2)

    assert "got an unexpected keyword argument 'class_weight'" in said


@pytest.mark.long
def test_a_training_loop_of_ones_own_is_pruned_and_its_winner_trained_on_all_folds(project):
    (project / "experiments" / "digits.toml").write_text(EXPERIMENT.replace("learning_rate = 0.01\n", ""))

    trials = run(
        project, "loops", "model.build=space:Looping", "search.tuner=optuna.random", "search.trials=6",
        "search.pruner=median", "search.pruner_options={startup_trials=1, warmup_epochs=2}", "train.epochs=5",
        "data.folds=2", "space.batch_size=64",
    )  # fmt: skip

    assert "pruned" in {one["status"] for one in trials}
    assert json.loads(hpsearch(project, "best", "loops", "--json"))["model_accuracy"] > 0.7
    began = [news.body for news in read(paths.Project(project), "loops") if isinstance(news.body, AttemptBegan)]
    assert "whole" in {one.attempt.fit.kind for one in began}
