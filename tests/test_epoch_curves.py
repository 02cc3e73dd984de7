"""The test accuracy of every epoch of the finals, from one opening."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data_makers import write_pair
from sklearn.datasets import load_digits

from hpsearch import epoch_curves, looks, paths, records
from hpsearch.errors import StateDamaged
from hpsearch.experiment import Experiment
from hpsearch.records import Verdict
from hpsearch.state import State
from hpsearch.study import read

BUILD = """
import keras

def build(hp):
    units = hp.Choice("units", [4, 16])
    dense = [keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dropout(0.1), *dense])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
EXPERIMENT = """
name = "curves"
[data]
source = "idx"
folder = "images"
[model]
build = "space:build"
[search]
tuner = "keras-tuner.grid"
trials = 2
[train]
epochs = 3
batch_size = 64
[final]
finalists = 2
seeds = 2
keep_epochs = true
[workers]
count = 1
[tracking]
mlflow = false
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    digits = load_digits()
    write_pair(folder / "images", "train", (digits.images * 15).astype(np.uint8), digits.target)
    (folder / "space.py").write_text(BUILD)
    (folder / "experiments").mkdir()
    (folder / "experiments" / "curves.toml").write_text(EXPERIMENT)
    environment = {**os.environ, "HPSEARCH_DATA": str(folder / "cache")}
    command = [sys.executable, "-m", "hpsearch", "run", "experiments/curves.toml"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=300)
    return paths.Project(folder)


def told(project, kind):
    return [news.body for news in read(project, "curves") if isinstance(news.body, kind)]


def folded(project):
    state = State()
    for news in read(project, "curves"):
        state.take(news)
    return state


def test_a_curve_passes_through_the_accuracy_of_the_judged_model(project):
    state = folded(project)

    at_best = {fit.name: state.test_curves[fit.name][end.best_epoch - 1] for fit, end in state.finals.items()}

    judged = {
        (one.trial, seed): accuracy
        for one in state.verdict.finalists
        for seed, accuracy in enumerate(one.test_accuracies)
    }
    assert at_best == {fit.name: judged[fit.trial, fit.repeat] for fit in state.finals}
    assert {len(curve) for curve in state.test_curves.values()} == {3}


def test_the_epochs_are_listed_before_any_is_judged_and_the_split_is_opened_once(project):
    (opened,) = told(project, records.TestOpened)

    kinds = [type(body) for body in told(project, (records.TestOpened, records.TestCurve, Verdict))]
    assert kinds == [records.TestOpened, *[records.TestCurve] * 4, Verdict]
    assert {name: len(digests) for name, digests in opened.epochs.items()} == dict.fromkeys(opened.models, 3)


def test_every_epoch_counts_as_a_look_at_the_test_split(project):
    assert looks.of_study(project, "curves") == {"curves": 4 * (1 + 3)}
    assert len(folded(project).judged) == 4 * (1 + 3)


def test_the_search_keeps_no_epochs(project):
    kept = sorted(folder.parent.name for folder in project.study("curves").fits.glob("*/epochs"))

    assert kept == sorted(fit.name for fit in folded(project).finals)


class Unasked:
    """An executor that must not be asked for anything."""

    def call(self, *_: object) -> object:
        raise AssertionError


@pytest.fixture
def study(project):
    """The study as if its test split had just been opened: no curve is known yet."""
    state = folded(project)
    state.test_curves.clear()
    experiment = Experiment.model_validate({"name": "curves", "model": {"build": "space:build"}})
    kept = experiment.model_copy(update={"final": experiment.final.model_copy(update={"keep_epochs": True})})
    return SimpleNamespace(state=state, paths=project.study("curves"), experiment=kept)


def test_a_fit_that_lacks_an_epoch_has_no_curve(study):
    fit, end = next(iter(study.state.finals.items()))
    study.state.finals[fit] = replace(end, epochs=end.epochs + 1)

    listed = epoch_curves.listed(study, dict.fromkeys(study.state.finals, Path()))

    assert listed.keys() == {other.name for other in study.state.finals} - {fit.name}


def test_weights_that_changed_since_the_opening_are_not_judged(study):
    fit = next(iter(study.state.finals))
    study.state.opened = records.TestOpened({fit.name: "model"}, {fit.name: ("0" * 64,)})

    with pytest.raises(StateDamaged, match=f"{fit.name}.*0001"):
        epoch_curves.judge(study, Unasked(), Path(), SimpleNamespace(folder=Path()), {fit: Path()})


def test_what_has_a_curve_is_not_judged_again(study):
    fit = next(iter(study.state.finals))
    study.state.opened = records.TestOpened({fit.name: "model"}, {fit.name: ("0" * 64,)})
    study.state.test_curves[fit.name] = (0.5,)

    epoch_curves.judge(study, Unasked(), Path(), SimpleNamespace(folder=Path()), {fit: Path()})
