"""A model is shown ink as its training images have it: bright on dark, or dark on bright."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import hpsearch, settings, told
from data_makers import at_hand, write_pictures
from PIL import Image
from readers import prepared, unseen_images
from test_predict import predict
from written import file_of, seven

from hpsearch import files, paths
from hpsearch.datasets.idx_format import read
from hpsearch.datasets.prepared import load
from hpsearch.exported import read_export
from hpsearch.polarity import Polarity, polarity_of, spread
from hpsearch.predict.answerer import answering
from hpsearch.predict.framing import Framing, recipe_of
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture
from hpsearch.predict.training_images import WORDS

DIGITS = "0123456789"
ROWS, PAGES = 2500, 20
BUILD = """
import keras


def build(hp):
    units = hp.Choice("units", [48])
    paper_is_zero = keras.layers.Rescaling(-1, 1)  # a dense layer learns badly where most inputs are 1
    model = keras.Sequential([paper_is_zero, keras.layers.Flatten(), keras.layers.Dense(units, "relu")])
    model.add(keras.layers.Dense(hp.task.classes, "softmax"))
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
PLAIN = BUILD.replace("-1, 1)  # a dense layer learns badly where most inputs are 1", "1)")
EXPERIMENT = """
name = "paper"
[data]
source = "folder"
folder = "pictures"
[model]
build = "spaces.small:build"
[search]
tuner = "optuna.random"
trials = 1
[train]
epochs = 12
[final]
finalists = 1
seeds = 1
[tracking]
mlflow = false
[workers]
count = 1
"""


@pytest.fixture(scope="module")
def paper(home: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study on a folder of dark digits on white."""
    folder = tmp_path_factory.mktemp("paper")
    images, labels = load(prepared().folder, "train")
    write_pictures(folder / "pictures", 255 - images[:ROWS], labels[:ROWS], DIGITS)
    for place, text in (("spaces/small.py", BUILD), ("experiments/paper.toml", EXPERIMENT)):
        (folder / place).parent.mkdir()
        (folder / place).write_text(text)
    (folder / "spaces/plain.py").write_text(PLAIN)
    done = hpsearch(folder, "run", "experiments/paper.toml", *settings("train.batch_size=32"))
    assert "warning: the images show dark ink on bright" in done.stderr
    return folder


@pytest.fixture(scope="module")
def turned(paper: Path) -> Path:
    """A finished study on the same folder with `data.invert`, whose network knows nothing of paper."""
    words = settings("train.batch_size=32", "data.invert=true", "model.build=spaces.plain:build")
    done = hpsearch(paper, "run", "experiments/paper.toml", "--name", "turned", *words)
    assert "warning" not in done.stderr
    return paper


@pytest.fixture(scope="module")
def pages(paper: Path) -> Path:
    """Twenty digits that no model here was trained on, dark on white and, as inverted, bright on black."""
    images, labels = unseen_images()
    for row in range(PAGES):
        large = Image.fromarray(images[row]).resize((84, 84), Image.Resampling.BICUBIC)
        for name, picture in (("dark", large.point(lambda value: 255 - value)), ("bright", large)):
            place = files.make(paper / "pages" / name) / f"{row:02}-shows-{labels[row]}.png"
            picture.save(place)
    return paper / "pages"


def rightly(out: str) -> int:
    told = [json.loads(line) for line in out.splitlines()]
    return sum(one["text"] == one["picture"][-5] for one in told)


@pytest.mark.parametrize(
    ("study", "ink"),
    [
        ("paper", "bright"),
        ("turned", "dark"),
        pytest.param("paper", "dark", marks=pytest.mark.long),
        pytest.param("turned", "bright", marks=pytest.mark.long),
    ],
)
def test_a_model_of_dark_ink_and_one_of_turned_images_read_pictures_as_others_do(
    turned: Path, pages: Path, study: str, ink: str
) -> None:
    out, _ = predict(study, pages / ink, "--json", cwd=turned)

    assert rightly(out) >= 17
    assert sum("unlike the training data" in line for line in out.splitlines()) <= 3


def test_its_export_says_so_and_reads_the_same(paper: Path, pages: Path, tmp_path: Path) -> None:
    hpsearch(paper, "export", "paper", "--out", tmp_path / "out")

    out, _ = predict(tmp_path / "out", pages / "dark", "--json")

    said, card = read_export(tmp_path / "out"), (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert said.polarity is Polarity.DARK_ON_BRIGHT
    assert said.manifest["input"]["ink"] == "dark on bright"
    assert card.count("dark ink on bright") == 2
    assert "bright ink on dark" not in card
    assert json.loads((paper / "mlruns/studies/paper/best/manifest.json").read_text())["input"] == {
        "shape": [28, 28], "dtype": "float32", "range": [0.0, 1.0], "ink": "dark on bright",
    }  # fmt: skip
    assert rightly(out) >= 17


def test_the_export_of_turned_images_takes_bright_ink_and_its_test_split_is_the_same(
    turned: Path, pages: Path, tmp_path: Path
) -> None:
    hpsearch(turned, "export", "turned", "--out", tmp_path / "out")

    out, _ = predict(tmp_path / "out", pages / "dark", "--json")

    assert read_export(tmp_path / "out").polarity is Polarity.BRIGHT_ON_DARK
    assert rightly(out) >= 17
    assert sorted(told(turned, "show", "turned")["looks"]) == ["paper", "turned"]


def test_models_of_images_and_of_their_negatives_are_compared_each_on_what_it_was_trained_on(
    turned: Path, tmp_path: Path
) -> None:
    project = shutil.copytree(turned, tmp_path / "copy")
    reached = [told(project, "best", name) for name in ("paper", "turned")]
    shutil.rmtree(paths.Project(project).study("turned").predictions)  # as a person may

    done = told(project, "compare", "paper", "turned")
    said = hpsearch(project, "compare", "turned", "paper").stdout

    assert [one["model_accuracy"] for one in done["models"]] == [one["model_accuracy"] for one in reached]
    assert (done["inverted"], done["looked"]) == (["turned"], {"paper": 1, "turned": 1})
    assert f"on the same {done['test_rows']:,} images of the test split, their negatives for paper:" in said


def test_what_was_kept_before_polarity_was_asked_is_measured_anew(paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(paper / "cache"))
    project = paths.Project(paper)
    kept = project.study("paper").best / WORDS
    with answering(project, "paper"):
        words = json.loads(kept.read_text(encoding="utf-8"))
    old = {key: value for key, value in words.items() if key != "ink"} | {"framing": "emnist"}
    kept.write_text(json.dumps(old), encoding="utf-8")

    with answering(project, "paper") as answerer:
        assert answerer.polarity is Polarity.DARK_ON_BRIGHT
    assert json.loads(kept.read_text(encoding="utf-8")) == words


@pytest.mark.parametrize("framing", list(Framing))
def test_a_character_is_framed_alike_in_both_polarities(framing: Framing) -> None:
    bright, dark = (look("a", file_of(seven()), framing, (28, 28), polarity) for polarity in Polarity)

    assert isinstance(bright, Picture)
    assert isinstance(dark, Picture)
    assert np.array_equal(255 - dark.characters[0].image, bright.characters[0].image)
    assert bright.characters[0].image[0].max() == 0


@pytest.mark.parametrize("name", ["mnist/t10k-images-idx3-ubyte.gz", "emnist47/emnist47-test-images-idx3-ubyte.gz"])
def test_polarity_and_recipe_of_real_images_are_found_on_bright_and_on_dim_paper(name: str) -> None:
    images = read(at_hand(name) / name, 3)
    images = images.transpose(0, 2, 1) if "emnist" in name else images
    framing = Framing.EMNIST if "emnist" in name else Framing.MNIST

    assert polarity_of(images) is Polarity.BRIGHT_ON_DARK
    for paper in (255 - images, 110 - images // 3):
        assert polarity_of(paper) is Polarity.DARK_ON_BRIGHT
    assert recipe_of(255 - images, Polarity.DARK_ON_BRIGHT)[0] is framing


@pytest.mark.parametrize("tone", [0, 90, 255])
def test_images_without_ink_are_taken_for_bright_ink_on_dark(tone: int) -> None:
    assert polarity_of(np.full((3, 28, 28), tone, np.uint8)) is Polarity.BRIGHT_ON_DARK
    assert polarity_of(np.zeros((0, 28, 28), np.uint8)) is Polarity.BRIGHT_ON_DARK


@pytest.mark.parametrize("rows", [1, 1999, 2000, 2001, 3999, 4001, 9000])
def test_of_many_images_two_thousand_at_most_are_looked_at(rows: int) -> None:
    rising = np.arange(rows, dtype=np.uint16)

    looked_at = spread(rising)

    assert min(rows, 1000) <= len(looked_at) <= 2000
    assert len(set(np.diff(looked_at))) <= 1
