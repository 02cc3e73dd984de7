"""What every exporter must do: subclass ExporterContract in a module of tests, override `make` and `predict`.

Models are made, and predictions asked for, in fresh processes: nothing that this one knows can help.
"""

# ruff: noqa: D102 - a test is named by its sentence

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from hpsearch.protocols import Exporter
from hpsearch.worker import process

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
Predict = Callable[[Sequence[Path], Any], "Array"]
Kind = Literal["dense", "convolutional"]
Models = dict[Kind, tuple[bytes, "Array"]]


def images() -> "Array":
    """Scaled images as a served model gets them: float32 in 0 … 1, 6 × 8 × 8."""
    import numpy as np

    return np.random.default_rng(3).random((6, 8, 8), dtype=np.float32)


def make_model(file: Path, kind: Kind) -> "Array":
    """Train a small model of 3 classes for a moment and save it; give its predictions for the images."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(5)
    hidden = {
        "dense": [keras.layers.Flatten(), keras.layers.Dense(7, "relu", kernel_regularizer="l2")],
        "convolutional": [keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()],
    }[kind]
    outer = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.4), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8, 8)), *hidden, *outer])
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)), "sparse_categorical_crossentropy"
    )
    model.fit(images(), np.arange(6) % 3, epochs=3, verbose=0)
    model.save(file)
    predictions: Array = np.asarray(model.predict(images(), verbose=0))
    return predictions


class ExporterContract:
    """The promises of an exporter."""

    tolerance = 1e-6
    """By how much a predicted probability may differ from Keras's own."""

    @pytest.fixture
    def make(self) -> Callable[[], Exporter]:
        """Override: what makes the exporter."""
        raise NotImplementedError

    @pytest.fixture
    def predict(self) -> Predict:
        """Override: a module-level function that takes the files written and images, and gives probabilities."""
        raise NotImplementedError

    def same(self, predict: Predict, written: Sequence[Path], wanted: "Array") -> bool:
        """Whether the files give these predictions in a process that knows nothing else."""
        import numpy as np

        given = np.asarray(process.call(predict, list(written), images()))
        return given.shape == wanted.shape and bool(np.allclose(given, wanted, rtol=0, atol=self.tolerance))

    @pytest.fixture(scope="class")
    @classmethod
    def models(cls, tmp_path_factory: pytest.TempPathFactory) -> Models:
        """A model file of each kind, and what Keras predicts by it."""
        file = tmp_path_factory.mktemp("models") / "model.keras"
        kinds: tuple[Kind, ...] = ("dense", "convolutional")
        predicted = {kind: (process.call(make_model, file, kind), file.read_bytes()) for kind in kinds}
        return {kind: (data, predictions) for kind, (predictions, data) in predicted.items()}

    @pytest.mark.parametrize("kind", ["dense", "convolutional"])
    def test_the_exported_thing_alone_gives_the_same_predictions(  # the model file is gone, the folder elsewhere
        self, make: Callable[[], Exporter], predict: Predict, models: Models, tmp_path: Path, kind: Kind
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "out"
        model.write_bytes(models[kind][0])

        written = make().write(model, folder)

        model.unlink()
        elsewhere = folder.rename(tmp_path / "elsewhere")
        assert self.same(predict, [elsewhere / file.relative_to(folder) for file in written], models[kind][1])

    def test_writing_twice_is_as_good_as_once(
        self, make: Callable[[], Exporter], predict: Predict, models: Models, tmp_path: Path
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "out"
        model.write_bytes(models["dense"][0])
        once = make().write(model, folder)

        again = make().write(model, folder)

        assert list(again) == list(once)
        assert self.same(predict, again, models["dense"][1])

    def test_another_model_takes_the_place_of_an_earlier_one(
        self, make: Callable[[], Exporter], predict: Predict, models: Models, tmp_path: Path
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "out"
        model.write_bytes(models["dense"][0])
        make().write(model, folder)
        model.write_bytes(models["convolutional"][0])

        written = make().write(model, folder)

        assert self.same(predict, written, models["convolutional"][1])

    def test_the_files_named_are_all_that_is_written(
        self, make: Callable[[], Exporter], models: Models, tmp_path: Path
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "a" / "new" / "folder"
        model.write_bytes(models["dense"][0])

        written = make().write(model, folder)

        there = {file for file in folder.rglob("*") if file.is_file()}
        named = {file for path in written for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
        assert there == named
        assert named
        assert model.read_bytes() == models["dense"][0]
