"""A model file may be anything: it is loaded when it is whole and honest, and refused in one line when it is not."""

from pathlib import Path

import figures
import hostile_models
import keras
import numpy as np
import pytest
from keras import layers

from hpsearch.orders import Slot
from hpsearch.worker import process
from hpsearch.worker.model_reading import read_model

HARMLESS = ["an honest model", "a loss that is os.system"]  # how a model was trained is not read at all
Outcome = tuple[dict[str, hostile_models.Opened], int, list[str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("hostile")
    done: Outcome = process.call(hostile_models.open_all, folder, slot=Slot())
    return done


@pytest.mark.promise("P23", *(f"H{number}" for number in (*range(1, 28), 28, 29, 30)))
def test_every_hostile_model_is_refused_in_one_line_with_its_mend(outcome: Outcome) -> None:
    opened, _, _ = outcome

    assert [name for name, one in opened.items() if not one.said] == HARMLESS
    for one in opened.values():
        assert one.said.count("\n") <= 1
        assert "Traceback" not in one.said


@pytest.mark.promise("P23")
def test_no_hostile_model_runs_code_or_writes_a_file(outcome: Outcome) -> None:
    _, _, left = outcome

    assert left == ["evil", "files"]


@pytest.mark.promise("P23", "H16", "H17", "H18", "H19", "H21")
def test_no_hostile_model_takes_a_gigabyte_or_ten_seconds(outcome: Outcome) -> None:
    opened, peak, _ = outcome

    figures.note("P23", models=len(opened), peak_mb=peak, slowest_seconds=max(one.seconds for one in opened.values()))
    assert peak < 1000
    assert max(one.seconds for one in opened.values()) < 10


@pytest.mark.promise("H17", "H18", "H19")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weights that are nowhere stored", "says that it has 3,600,000,000 bytes, and they are not there"),
        ("a hundred million units", "describes 1,700,000,000 weights and holds"),
        ("two thousand million units", "describes 34,000,000,000 weights and holds"),
        ("a layer with code", "Lambda"),
        ("hf://a/b.keras", "there is no model file here"),
    ],
)
def test_the_refusal_says_what_is_wrong(outcome: Outcome, name: str, words: str) -> None:
    assert words in outcome[0][name].said


@keras.saving.register_keras_serializable("hostile_test")
class Counting(layers.Layer):
    """A layer of one's own that begins with a value, which takes memory at once."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = keras.Variable(np.zeros(3, "float32"), trainable=False)

    def call(self, images):
        return images + self.calls[0]


def stacked(*parts):
    return keras.Sequential([keras.Input((8, 8, 1)), *parts, layers.Dense(3)])


def nested():
    inner = stacked(layers.Flatten())
    inner.compile("adam", "mse")
    return keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Dense(2)])


HONEST = {
    "a perceptron": lambda: stacked(layers.Flatten(), layers.BatchNormalization(), layers.Dropout(0.5)),
    "a network of convolutions": lambda: stacked(
        layers.RandomFlip(), layers.Normalization(mean=0.5, variance=2.0), layers.SeparableConv2D(4, 3),
        layers.GaussianNoise(0.1), layers.GlobalAveragePooling2D(),
    ),
    "a recurrent network": lambda: stacked(layers.Reshape((8, 8)), layers.Bidirectional(layers.LSTM(5, dropout=0.1))),
    "a model in a model": nested,
    "a layer of one's own": lambda: stacked(layers.Flatten(), Counting()),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_predicts_as_before(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype="float32")
    model = HONEST[name]()
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")

    read = read_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(read(images, training=False), model(images, training=False))
