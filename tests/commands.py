"""Projects whose images are the digits that come with scikit-learn, and hpsearch's commands in them."""

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from data_makers import write_pair

from hpsearch.__main__ import main

BUILD = '''
"""A small perceptron whose second layer is there only when asked for."""
import keras


def build(hp):
    print("a person's own print")
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten()])
    for layer in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 8, 32, step=8), activation="relu"))
    model.add(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.4, step=0.2)))
    model.add(keras.layers.Dense(hp.task.classes, activation="softmax"))
    optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 1e-3, 1e-1, sampling="log"))
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
'''
EXPERIMENT = """
name = "digits"
seed = 3
[data]
source = "idx"
folder = "images"
[model]
build = "spaces.small:build"
[search]
tuner = "optuna.random"
trials = 4
[train]
epochs = 6
batch_size = 64
[final]
finalists = 2
seeds = 2
[workers]
count = 2
"""


def settings(*given):
    """The words that set so many keys."""
    return [word for setting in given for word in ("--set", setting)]


SMALL = settings("train.epochs=2", "final.finalists=1", "final.seeds=1", "tracking.mlflow=false")


def digits():
    """Images and labels: scikit-learn's digits at twice their size."""
    from sklearn.datasets import load_digits  # takes a second

    small = load_digits()
    return np.repeat(np.repeat(small.images * 15, 2, axis=1), 2, axis=2).astype(np.uint8), small.target


def lay_out(folder, build=BUILD, experiment=EXPERIMENT):
    """A project with digits, a search space and an experiment."""
    write_pair(folder / "images", "train", *digits())
    for place, text in (("spaces/small.py", build), ("experiments/digits.toml", experiment)):
        (folder / place).parent.mkdir()
        (folder / place).write_text(text)
    return folder


def environment(project):
    return {**os.environ, "HPSEARCH_DATA": str(project / "cache"), "NO_COLOR": "1"}


def program(project, *words, code=0, **more):
    """The program in a process of its own, as at a shell: it takes ten seconds of processor time to begin a study."""
    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=project, env=environment(project) | more, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def hpsearch(project, *words, code=0, **more):
    """The program in this process, whose workers are forked from where TensorFlow may be imported already."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(project)
        for name, value in {"HPSEARCH_DATA": str(project / "cache"), "NO_COLOR": "1", **more}.items():
            patch.setenv(name, value)
        ended = main([str(word) for word in words])
    done = subprocess.CompletedProcess(words, ended, out.getvalue(), err.getvalue())
    assert ended == code, done.stdout + done.stderr
    return done


def run(project, *words, code=0):
    return hpsearch(project, "run", "experiments/digits.toml", *words, code=code)


def told(project, *words, code=0):
    """What a command tells programs."""
    return json.loads(hpsearch(project, *words, "--json", code=code).stdout)


def trials(project, name="digits"):
    return told(project, "show", name)["trials"]


def wait_for_a_trial(project, process, name="digits"):
    ledger = project / "mlruns" / "studies" / name / "ledger.db"
    for _ in range(600):
        if measures(ledger):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    pytest.fail("no trial began")


def measures(ledger):
    try:
        with sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=10) as db:
            return db.execute("SELECT count(*) FROM log WHERE kind = 'Measure'").fetchone()[0]
    except sqlite3.OperationalError:  # the file, or the table in it, is still to come
        return 0
