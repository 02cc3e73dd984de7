"""A model file may be anything: it is loaded when it is whole and honest, and refused in one line when it is not."""

from pathlib import Path

import figures
import hostile_models
import keras
import numpy as np
import pytest
from keras import layers

from hpsearch.errors import StateDamaged
from hpsearch.orders import Slot
from hpsearch.worker import process
from hpsearch.worker.model_reading import read_model, read_tested

HARMLESS = ["an honest model", "a loss that is os.system"]  # how a model was trained is not read at all
Outcome = tuple[dict[str, hostile_models.Opened], int, list[str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("hostile")
    done: Outcome = process.call(hostile_models.open_all, folder, slot=Slot())
    return done


@pytest.mark.promise("P23")
def test_every_hostile_model_is_refused_in_one_line_with_its_mend(outcome: Outcome) -> None:
    opened, _, _ = outcome

    assert [name for name, one in opened.items() if not one.said] == HARMLESS
    for one in opened.values():
        assert one.said.count("\n") <= 1
        assert "Traceback" not in one.said
        assert "safe_mode" not in one.said  # nobody is advised to switch it off


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


REFUSED = [
    ("H1", "a layer with code", "a `Lambda` layer whose `function` is a Python lambda"),
    ("H3", "legacy.h5", "there is no model file here"),
    ("H4", "a layer that is os.system", "Could not locate class 'system'"),
    ("H5", "a layer that is builtins.exec", "Could not locate class 'exec'"),
    ("H6", "a layer that is subprocess.Popen", "Could not locate class 'Popen'"),
    ("H7", "a layer that is pickle.loads", "Could not locate class 'loads'"),
    ("H8", "a layer that is numpy.load", "Could not locate class 'load'"),
    ("H9", "a layer that is keras.config.enable_unsafe_deserialization", "not a modeling function"),
    ("H10", "a layer that is keras.utils.get_file", "not a modeling function"),
    ("H11", "an activation that is exec", "Could not locate function 'exec'"),
    ("H12", "a layer that is keras.layers.TFSMLayer", "loads an external SavedModel"),
    ("H13", "a layer that is keras.layers.StringLookup", "a vocabulary file outside of the model"),
    ("H14", "weights that link to a file", "H5 file with ExternalLink"),
    ("H15", "weights that lie in a file", "H5 file with external Dataset"),
    ("H16", "weights of a million by a million", "says that it has 4,000,000,000,000 bytes, and they are not there"),
    ("H17", "weights that are nowhere stored", "says that it has 3,600,000,000 bytes, and they are not there"),
    ("H18", "a hundred million units", "describes 1,700,000,000 weights and holds 53 values"),
    ("H19", "two thousand million units", "describes 34,000,000,000 weights and holds 53 values"),
    ("H20", "members that climb", "it holds other members than"),
    ("H21", "a member that unpacks to much", "it unpacks to more than a model does"),
    ("H21", "twenty thousand members", "its list of members takes 1,149,068 bytes"),
    ("H22", "a configuration nested without end", "maximum recursion depth exceeded"),
    ("H23", "half a file", "File is not a zip file"),
    ("H23", "an empty file", "File is not a zip file"),
    ("H23", "no weights", "it holds other members than"),
    ("H23", "a broken configuration", "Expecting property name"),
    ("H23", "a number", "'int' object has no attribute"),
    ("H23", "cut weights", "truncated file"),
    ("H24", "weights of another shape", "must match"),
    ("H25", "a layer that is evil.mod.Layer", "Could not locate class 'Layer'"),
    ("H26", "a layer's name that climbs", "cannot contain character `/`"),
    ("H27", "hf://a/b.keras", "there is no model file here"),
    ("H27", "http://127.0.0.1:9/b.keras", "there is no model file here"),
    ("H28", "objects.npy", "there is no model file here"),
    ("H29", "model.pkl", "there is no model file here"),
    ("H29", "a pickle", "File is not a zip file"),
    ("H30", "model.joblib", "there is no model file here"),
]


@pytest.mark.promise(*(f"H{number}" for number in (1, *range(3, 31))))
@pytest.mark.parametrize(("number", "name", "words"), REFUSED)
def test_the_refusal_says_what_is_wrong(outcome: Outcome, number: str, name: str, words: str) -> None:
    assert words in outcome[0][name].said


def test_each_hostile_model_of_the_promises_has_its_refusal() -> None:
    assert {number for number, _, _ in REFUSED} == {f"H{number}" for number in (1, *range(3, 31))}


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


def test_keras_keeps_its_state_while_a_tested_model_is_read(tmp_path: Path) -> None:
    stacked(layers.Flatten()).save(tmp_path / "model.keras")
    keras.utils.clear_session()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        first = layers.Dense(3).name

        read_tested(tmp_path / "model.keras")

        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert layers.Dense(3).name != first
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_tested_model_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"half")

    with pytest.raises(StateDamaged, match="File is not a zip file"):
        read_tested(tmp_path / "model.keras")
