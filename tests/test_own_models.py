"""Models of every kind exported: with layers of the project's own, with logits, with a single sigmoid."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import write_pair
from kept_studies import keep
from stories import RATE, fit_story, trial_story

from hpsearch import artefacts, files, paths, records
from hpsearch.contender_files import data_of
from hpsearch.contenders import find
from hpsearch.datasets import prepared
from hpsearch.errors import ExperimentRefused, FormatUnusable, NotExported
from hpsearch.experiment import Experiment
from hpsearch.exported import Exported
from hpsearch.exporting import Subject, export, refuse_unlike
from hpsearch.formats import Formats, chosen, missing
from hpsearch.model_card.page import page
from hpsearch.orders import Slot
from hpsearch.parts import make_dataset
from hpsearch.protocols import Prepared
from hpsearch.trial import Fit
from hpsearch.worker import process

SPACE = """
import keras
from keras import layers


@keras.saving.register_keras_serializable("mine")
class Doubled(layers.Layer):
    def call(self, images):
        return 2.0 * images


@keras.saving.register_keras_serializable("mine")
class Rare(layers.Layer):
    def call(self, values):
        return keras.ops.erfinv(0.9 * keras.ops.tanh(values))


def build(kind):
    keras.utils.set_random_seed(1)
    ends = {"own": [Doubled(), layers.Dense(2)], "sigmoid": [layers.Dense(1, "sigmoid")]}
    end = ends.get(kind) or [Rare(), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((8, 6, 1)), layers.Conv2D(3, 3), layers.Flatten(), *end])
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", logits if kind == "own" else "binary_crossentropy")
    return model
"""
FIT = Fit(0, 7, "final", repeat=1)


def train(root: Path, kind: str, data: Path, file: Path) -> None:
    from hpsearch.worker.finding import find_build

    model = find_build(root, "space:build")(kind)
    images, labels = (np.load(data / name) for name in ("images.npy", "labels.npy"))
    model.fit(images[..., None] / np.float32(255), labels, epochs=20, verbose=0)
    model.save(file)


@pytest.fixture(scope="module")
def sigmoid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The winner, which ends in one sigmoid, of a finished study with two classes; its data stay in use."""
    folder = tmp_path_factory.mktemp("sigmoid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(folder / "cache"))
        yield winner(folder, "sigmoid")


@pytest.fixture(scope="module")
def exported_sigmoid(sigmoid: Subject) -> Exported:
    return exported(sigmoid, "keras,saved-model")[0]


def winner(tmp_path: Path, kind: str) -> Subject:
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = rng.integers(0, 90, (160, 8, 6), dtype=np.uint8)
    images[labels == 0, :, :3] += 120
    write_pair(tmp_path / "images", "train", images, labels)
    (tmp_path / "space.py").write_text(SPACE)
    source = {"source": "idx", "folder": str(tmp_path / "images")}
    experiment = Experiment.model_validate(
        {"name": "tiny", "model": {"build": "space:build"}, "data": source, "search": {"trials": 1}}
    )
    project = paths.Project(tmp_path)
    data = make_dataset(experiment).prepare(lambda *_: None)
    model = files.make(project.study("tiny").fits / FIT.name) / "model.keras"
    process.call(train, tmp_path, kind, data.folder / "train", model, slot=Slot())
    keep(tmp_path, story(experiment, data, hashlib.sha256(model.read_bytes()).hexdigest()))
    return Subject(project, found := find(project, "tiny"), data_of(found, lambda *_: None), Formats(()))


def story(experiment: Experiment, data: Prepared, model: str) -> list[Any]:
    row = {"precision": 1.0, "recall": 1.0, "f1-score": 1.0, "support": 16.0}
    verdict = records.Verdict(
        0, FIT.name, (records.Finalist(0, (0.8, 0.9), (0.9, 1.0)),), 32, 1.0,
        dict.fromkeys(("0", "1", "macro avg", "weighted avg"), row), ((16, 0), (0, 16)), ("0", "1"), (0.8, 1.0),
    )  # fmt: skip
    return [
        records.SessionBegan("tiny", experiment.model_dump(mode="json"), {"data": data.digest, "code": "c0de"}, (), {}),
        records.SpaceFound((RATE,)), records.Asked(trial_story(0, [0.9])[-1].trial), *trial_story(0, [0.9]),
        records.FinalistsChosen((0,)), *fit_story(FIT, [0.8, 0.9]),
        records.TestOpened({FIT.name: model}, {}, *prepared.test_digests(data)), verdict,
    ]  # fmt: skip


def exported(subject: Subject, formats: str | Formats) -> tuple[Exported, list[str]]:
    said: list[str] = []
    names = chosen(formats) if isinstance(formats, str) else formats
    wanted = Subject(subject.project, subject.contender, subject.data, names)
    return export(wanted, subject.project.root / "out", said.append, said.append), said


def test_a_model_with_layers_of_its_own_and_logits_is_exported_but_for_keras(tmp_path: Path, cache: Path) -> None:
    subject = winner(tmp_path, "own")

    with pytest.raises(ExperimentRefused, match=r"keras: the model has layers of the project's own \(mine>Doubled\)"):
        exported(subject, "saved-model,keras")
    assert not (subject.project.root / "out").exists()

    read, said = exported(subject, "all")

    assert "leaving out keras: it would need the project's code of mine>Doubled" in said
    assert set(read.formats) == set(chosen("all").names) - {"keras"}
    assert read.manifest["test"]["model_accuracy"] > 0.9


@pytest.mark.skipif(bool(missing("onnx") or missing("litert")), reason="the extra export is not installed")
def test_of_all_formats_one_that_cannot_be_had_is_left_out_with_the_reason(tmp_path: Path, cache: Path) -> None:
    subject = winner(tmp_path, "rare")

    with pytest.raises(FormatUnusable, match=r"litert: .*\n  leave this format out"):
        exported(subject, Formats(("litert",)))

    read, said = exported(subject, Formats(("litert", "onnx", "saved-model"), as_can_be=True))

    assert [line.partition(" (")[0] for line in said if line.startswith("leaving out")] == [
        "leaving out litert: this model cannot be written in this format",
        "leaving out onnx: its own runtime cannot run it",
    ]
    assert set(read.formats) == {"saved-model"}
    assert [file.name for file in read.folder.glob("model.*")] == []
    assert "onnx" not in (read.folder / "README.md").read_text()


def test_a_model_with_one_sigmoid_gives_two_columns_and_a_card_that_keeps_two_figures_apart(
    sigmoid: Subject, exported_sigmoid: Exported
) -> None:
    subject, read = sigmoid, exported_sigmoid

    card = json.loads((read.folder / "model_card.json").read_text())
    assert card["figures"]["model"]["accuracy"] == read.manifest["test"]["model_accuracy"] > 0.9
    assert card["figures"]["configuration"]["expected_accuracy"] == pytest.approx(0.95)
    assert (card["training"]["seed"], card["training"]["best_epoch"], card["training"]["epochs"]) == (7, 2, 2)
    assert card["data"]["sha256"] == subject.data.digest
    assert card["figures"]["looks"] == {"judged_models": 1, "ledgers_not_read": 0, "openings": 1}
    assert sum(one["rows"] for one in card["classes"]) == subject.data.test_rows
    text = (read.folder / "README.md").read_text()
    assert "**This very model** reads" in text
    assert "**Its configuration**, trained again under another seed, is expected to read 0.9500" in text
    assert str(subject.project.root) not in text + json.dumps(card)


def test_a_format_that_gives_something_else_is_refused(sigmoid: Subject, exported_sigmoid: Exported) -> None:
    """The exported file is sound, but of a model that reads everything the other way round."""
    subject, read = sigmoid, exported_sigmoid
    test, wanted = subject.data.folder / "test", subject.project.root / "wanted.npy"
    place = (subject.project.root, "space:build", subject.contender.file, test, ("0", "1"), wanted)
    reading = process.call(artefacts.reference, *place, slot=Slot())
    np.save(wanted, np.ascontiguousarray(np.load(wanted)[:, ::-1]))

    found = process.call(artefacts.check, read.folder, "saved-model", test, wanted, slot=Slot())

    assert found.accuracy == reading.accuracy
    with pytest.raises(
        NotExported, match=r"saved-model: the exported model does not give what .*\(0\.0001 is allowed\)"
    ):
        refuse_unlike("saved-model", found, reading.accuracy)
    with pytest.raises(NotExported, match="accuracy is"):
        refuse_unlike("litert-int8", found, reading.accuracy + 0.2)


def test_one_image_of_few_that_a_format_reads_otherwise_refuses_no_export() -> None:
    rows = 40

    refuse_unlike("litert-int8", artefacts.Checked(38 / rows, rows, 0.3, 9, 1.0, 128, 1.0), 39 / rows)

    with pytest.raises(NotExported, match="accuracy is"):
        refuse_unlike("litert-int8", artefacts.Checked(37 / rows, rows, 0.3, 9, 1.0, 128, 1.0), 39 / rows)


HOSTILE = [
    "<script>alert(1)</script>",
    "a|b`c`",
    "[x](javascript:y)",
    "# title\n\n```\nrm",
    "\x1b[31m\u202ered",
    "**é**",
]


def test_nothing_from_outside_is_markup_in_the_card() -> None:
    """A card whose every word from outside is hostile has the lines and columns of one whose words are plain."""
    hostile, plain = page(card(HOSTILE)), page(card(["plain"] * len(HOSTILE)))

    assert len(hostile.splitlines()) == len(plain.splitlines())
    assert bars(hostile) == bars(plain)
    assert "<script" not in hostile
    assert not any(sign in hostile for sign in "\x1b\u202e")
    assert hostile.count("```") == plain.count("```")
    assert not re.search(r"(?<!\\)\]\(", hostile)


def bars(text: str) -> list[int]:
    return [line.replace("\\|", "").count("|") for line in text.splitlines()]


def card(names: Sequence[str]) -> dict[str, object]:
    checked = artefacts.Checked(0.9, 40, 1e-7, 1000, 0.1, 128, 0.2)
    return {
        "study": names[0], "trial": 1, "values": dict.fromkeys(("a", "b"), names[1]), "won": True, "weights": 7,
        "class_names": list(names), "input": {"shape": [4, 4], "ink": "bright on dark"}, "model": {"sha256": "0" * 64},
        "data": {
            "name": names[2], "licence": names[3], "sha256": "0", "test_from": "official", "train_rows": 9,
            "test_rows": 40, "classes": 6,
        },
        "figures": {
            "model": {"accuracy": 0.9, "interval": (0.8, 0.95), "rows": 40}, "configuration": None,
            "trained_again": None, "seeds_failed": "",
        },
        "classes": [{"name": name, "precision": 1.0, "recall": 0.5, "f1": 0.6, "rows": 7} for name in names],
        "most_confused": [{"true": name, "read_as": name, "times": 3, "share": 0.1} for name in names],
        "formats": {"keras": {"path": "model.keras", **asdict(checked)}},
        "measured_on": {"processor": names[4], "cpus": "2", "batch": 128}, "limits": list(map(repr, names)),
        "training": {
            "build": names[5], "tuner": names[0], "trials_searched": 3, "objective": names[1], "epochs": None,
            "most_epochs": 9, "best_epoch": 3, "batch_size": 32, "early_stopping": 2, "seed": 1,
            "validation_score": 0.9, "seconds": 3.0, "versions": {"keras": "3"}, "code_sha256": "",
        },
    }  # fmt: skip
