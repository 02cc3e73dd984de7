"""Two real studies on one small data set: their trials replayed, their models compared, a notebook at work on them."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from commands import BUILD, digits, hpsearch, lay_out, run, settings, told
from data_makers import write_pair
from kept_studies import rewrite

from hpsearch import open_study, paths
from hpsearch.contender_files import note_looks
from hpsearch.contenders import find
from hpsearch.datasets.prepared import SplitDigests
from hpsearch.records import TestLooked as Looked
from hpsearch.study import read
from hpsearch.trial import Measure


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A project with the finished study `digits` (four trials, the best two kept) and the smaller `second`."""
    folder = lay_out(tmp_path_factory.mktemp("results"))
    run(folder, *settings("tracking.mlflow=false", "final.finalists=1", "train.keep=2"))
    small = settings("tracking.mlflow=false", "search.trials=1", "final.seeds=1", "final.finalists=1")
    run(folder, "--name", "second", *small)
    return folder


@pytest.fixture
def project(studies, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(studies, tmp_path / "copy")
    return tmp_path / "copy"


def kept(folder):
    """The searched trials whose weights are there, and one whose are not; neither was in the finals."""
    winner = told(folder, "best", "digits")["winner"]
    there = {int(file.parent.name[7:11]) for file in folder.glob("mlruns/studies/digits/fits/search-*/best.bin")}
    return next(iter(there - {winner})), next(iter(set(range(4)) - there - {winner}))


def test_a_trial_comes_out_the_same_when_it_is_trained_again_wherever_its_images_are_by_now(studies):
    before = (studies / "mlruns/studies/digits/ledger.db").read_bytes()

    moved = (studies / "images").rename(studies / "moved")
    try:
        done = hpsearch(studies, "trial", "digits", "0", "--replay")
    finally:
        moved.rename(studies / "images")

    assert done.stdout.startswith("trial 0 came out the same: 6 epochs, every metric to the last bit")
    assert done.stderr.count("the same") == 6
    assert (studies / "mlruns/studies/digits/ledger.db").read_bytes() == before


def test_a_replay_names_the_metric_that_came_out_otherwise(project):
    def otherwise(body):
        first = isinstance(body, Measure) and (body.attempt.fit.trial, body.epoch) == (0, 1)
        return replace(body, metrics=body.metrics | {"val_loss": body.metrics["val_loss"] + 1e-9}) if first else body

    rewrite(paths.Project(project).study("digits").ledger, otherwise)

    replayed = told(project, "trial", "digits", "0", "--replay", code=1)

    (difference,) = replayed["differences"]
    assert (replayed["same"], difference["epoch"], difference["metric"]) == (False, 1, "val_loss")


def test_a_replay_of_changed_code_is_refused(project):
    (project / "spaces" / "small.py").write_text(BUILD.replace("relu", "tanh"))

    done = hpsearch(project, "trial", "digits", "0", "--replay", code=6)

    assert "the study's code changed since it ran" in done.stderr


def test_winners_and_kept_trials_are_compared_on_one_test_split(project):
    other, _ = kept(project)
    judged = told(project, "best", "digits")["model_accuracy"]

    done = hpsearch(project, "compare", "digits", f"digits:{other}", "second", "--json")
    again = told(project, "compare", "digits", f"digits:{other}", "--picture", "models.png")

    first = json.loads(done.stdout)
    by_name = {one["name"]: one for one in first["models"]}
    assert "WARNING" not in done.stderr
    assert by_name["digits"]["model_accuracy"] == judged
    assert by_name[f"digits:{other}"]["trial"] == other
    for one in first["models"]:
        assert one["interval"][0] < one["model_accuracy"] < one["interval"][1]
        assert min(one["parameters"], one["bytes"], one["single_ms"], one["batch_ms"]) > 0
    assert first["batch"] == 128
    assert [(pair["one"], pair["other"]) for pair in first["pairs"]] == [
        ("digits", f"digits:{other}"), ("digits", "second"), (f"digits:{other}", "second"),
    ]  # fmt: skip
    assert first["looked"] == again["looked"] == {"digits": 3, "second": 1}  # two seeds of the winner, and the trial
    assert told(project, "best", "second")["looks"] == {"second": 1, "digits": 3}
    report = hpsearch(project, "report", "second", "--markdown").stdout
    assert "has judged 4 models (1 of second, 3 of digits)" in report
    assert (project / "models.png").read_bytes().startswith(b"\x89PNG")


def test_a_study_that_was_set_aside_notes_its_own_looks_though_it_kept_its_name(project):
    other, _ = kept(project)
    studies = project / "mlruns" / "studies"
    shutil.copytree(studies / "digits", studies / "digits.before-1")
    with next(studies.glob(f"digits.before-1/fits/search-{other:04d}-*/best.bin")).open("ab") as weights:
        weights.write(b"of another seed")
    models = [find(paths.Project(project), f"{name}:{other}") for name in ("digits", "digits.before-1")]
    split = SplitDigests("a split", "its images", "its negatives")

    note_looks([(model, split) for model in models], "compare")

    for one in models:
        looks = [
            news.body.models
            for news in read(paths.Project(project), one.folder.folder.name)
            if isinstance(news.body, Looked)
        ]
        assert looks == [{one.fit: one.sha256}]


def test_a_model_that_is_not_kept_is_refused_with_how_to_have_it(studies):
    _, gone = kept(studies)

    done = hpsearch(studies, "compare", "digits", f"digits:{gone}", code=2)

    assert f"the model of trial {gone} is not kept" in done.stderr
    assert "train.keep=10" in done.stderr


def test_models_of_other_test_splits_are_refused_with_what_each_was_tested_on(project):
    small = ("tracking.mlflow=false", "search.trials=1", "train.epochs=1", "final.seeds=1", "final.finalists=1")
    write_pair(project / "backwards", "train", *(array[::-1] for array in digits()))
    for name, data in (("other", "data.test=0.3"), ("backwards", "data.folder=backwards")):
        run(project, "--name", name, *settings(data, *small))

    other, backwards = (hpsearch(project, "compare", "digits", name, code=2).stderr for name in ("other", "backwards"))

    assert "their test splits differ" in other
    assert re.search(r"digits: \d+ rows of .*\n  other: \d+ rows of ", other)
    assert "another order" not in other
    assert "they hold the same images in another order: search both on one and the same source" in backwards


@pytest.mark.parametrize("words", [["digits"], ["digits", "digits"], ["digits", "digits:99"], ["digits", "digits:x"]])
def test_words_that_name_no_two_models_are_refused(studies, words):
    assert "such as" in hpsearch(studies, "compare", *words, code=2).stderr


def test_a_notebook_loads_the_tested_model(studies, monkeypatch):
    monkeypatch.chdir(studies)

    study = open_study("digits")

    assert len(study.trials) == 4
    assert study.winner_model().predict(np.zeros((2, 16, 16), "float32"), verbose=0).shape == (2, 10)
