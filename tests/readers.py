"""A finished study whose model reads digits, made without a search, and the exports of it."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from kept_studies import keep
from stories import finals, fit_story

from hpsearch import files, paths
from hpsearch.datasets.mnist_5k import MNIST5k
from hpsearch.datasets.prepared import load
from hpsearch.experiment import Experiment
from hpsearch.fits import search_fits
from hpsearch.orders import Slot
from hpsearch.predict.likeness import Likeness
from hpsearch.protocols import Prepared
from hpsearch.provenance import code_digest
from hpsearch.records import (
    Answered,
    Asked,
    FinalistsChosen,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    TestOpened,
    Verdict,
)
from hpsearch.space import Parameter
from hpsearch.trial import Fit, Status, Trial, TrialResult
from hpsearch.worker import process

DIGITS = tuple("0123456789")
BUILD = '''
"""One dense layer, or with `own` a layer that only this project has."""
import keras


@keras.saving.register_keras_serializable("mine")
class Same(keras.layers.Layer):
    def call(self, images):
        return images


def build(hp):
    units = hp.Int("units", 8, 64)
    layers = [keras.Input((28, 28)), keras.layers.Flatten(), Same()]
    layers += [keras.layers.Dense(units, "relu"), keras.layers.Dense(hp.task.classes)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model
'''
EXPERIMENT = Experiment.model_validate(
    {
        "name": "digits", "data": {"source": "mnist-5k"}, "model": {"build": "space:build"},
        "search": {"trials": 2}, "train": {"epochs": 2},
    }
)  # fmt: skip
WINNER, OTHER = Fit(0, 7, "final", repeat=1), next(iter(search_fits(EXPERIMENT, 1)))
UNITS = Parameter("units", "int", 32, low=8, high=64)


def silent(_what: str, _done: int, _total: int | None) -> None:
    pass


def prepared() -> Prepared:
    return MNIST5k().prepare(silent)


def unseen_images() -> tuple[Any, Any]:
    """Images that no model here was trained on, and what they show."""
    images, labels = load(prepared().folder, "test")
    return np.array(images), np.array(labels)


def make_study(root: Path) -> paths.Project:
    """Write the project with the study "digits": trial 0 won, of trial 1 only its weights are kept."""
    (root / "space.py").write_text(BUILD)
    folder = paths.Project(root).study("digits")
    winner = files.make(folder.fits / WINNER.name) / "model.keras"
    process.call(_train, root, winner, files.make(folder.fits / OTHER.name) / "best.bin", slot=Slot())
    sha256 = hashlib.sha256(winner.read_bytes()).hexdigest()
    keep(root, list(_bodies(sha256, code_digest([root / "space.py"], root))), "digits")
    return paths.Project(root)


def _train(root: Path, winner: Path, other: Path) -> None:
    from hpsearch.worker import checkpoint
    from hpsearch.worker.finding import find_build
    from hpsearch.worker.hp import AskingHyperParameters
    from hpsearch.worker.task import Task

    task = Task((28, 28), 10, DIGITS, 4000, 2, 32)
    hp = AskingHyperParameters(lambda _parameter: UNITS.default, task, {})
    model = find_build(root, "space:build")(hp)
    images, labels = load(prepared().folder, "train")
    model.fit(np.array(images, np.float32) / 255, np.array(labels), epochs=4, batch_size=64, verbose=0)
    model.save(winner)
    checkpoint.save_weights(other, model)


def _bodies(sha256: str, code: str) -> Any:
    identity = {"data": prepared().digest, "code": code}
    yield SessionBegan("digits", EXPERIMENT.model_dump(mode="json"), identity, ("space.py",), {})
    yield SpaceFound(())
    for number in (0, 1):
        fit = next(iter(search_fits(EXPERIMENT, number)))
        yield Asked(Trial(number))
        yield Answered(number, UNITS, UNITS.default)
        yield from fit_story(fit, [0.5, 0.8])
        yield TrialResult(Trial(number, {"units": UNITS.default}), Status.COMPLETED, 0.8, 2, 1.5, {"val_accuracy": 0.8})
    for body in finals():
        match body:
            case FinalistsChosen():
                yield FinalistsChosen((0,))
            case TestOpened():
                yield TestOpened({WINNER.name: sha256})
            case Verdict():
                yield body
            case _:
                yield body
    yield SessionEnded(finished=True, reason="the budget is spent")


def make_exports(project: paths.Project, folder: Path) -> dict[str, Path]:
    """Write exported folders with the winner: "keras", "own" (.keras with own layers), "onnx", "both" (own, onnx).

    "onnx" also has what its training images look like.
    """
    winner = project.study("digits").fits / WINNER.name / "model.keras"
    process.call(_export, project.root, winner, folder, slot=Slot())
    Likeness.fit(load(prepared().folder, "train")[0]).save(folder / "likeness.npz")
    wanted = {
        "keras": {"model.keras": "plain.keras"}, "own": {"model.keras": "own.keras"},
        "onnx": {"model.onnx": "plain.onnx", "likeness.npz": "likeness.npz"},
        "both": {"model.keras": "own.keras", "model.onnx": "plain.onnx"},
    }  # fmt: skip
    return {name: _assemble(folder, folder / name, files) for name, files in wanted.items()}


def _assemble(models: Path, folder: Path, named: dict[str, str]) -> Path:
    folder.mkdir()
    for name, source in named.items():
        shutil.copyfile(models / source, folder / name)
    vouch(folder)
    return folder


def vouch(folder: Path) -> None:
    """Write the manifest of whatever model files are in the folder."""
    there = [file for file in sorted(folder.iterdir()) if file.name != "manifest.json"]
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in there}
    manifest = {
        "version": 1, "class_names": DIGITS, "input": {"shape": (28, 28), "dtype": "uint8", "ink": "bright on dark"},
        "framing": {"kind": "mnist"}, "files": files,
        "formats": {Path(name).suffix[1:]: {"path": name} for name in files if "model" in name},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _export(root: Path, winner: Path, folder: Path) -> None:
    import keras

    from hpsearch.worker.finding import find_build
    from hpsearch.worker.model_reading import read_model
    from hpsearch.worker.raw_model import raw_model

    find_build(root, "space:build")
    inner, samples = read_model(winner), unseen_images()[0][:64]
    plain = keras.Sequential([keras.Input((28, 28)), *(one for one in inner.layers if type(one).__name__ != "Same")])
    raw_model(inner, samples).save(folder / "own.keras")
    whole = raw_model(plain, samples)
    whole.save(folder / "plain.keras")
    whole(samples)  # else Keras knows no call to export
    whole.export(folder / "plain.onnx", format="onnx", verbose=False)
