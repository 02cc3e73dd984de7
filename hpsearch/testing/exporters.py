"""What every exporter must do: subclass ExporterContract in a module of tests, and override `make`.

Models are made, written and read in fresh processes: nothing that this one knows can help.
"""

# ruff: noqa: D102 - a test is named by its sentence

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import pytest

from hpsearch.orders import Slot
from hpsearch.protocols import Exporter
from hpsearch.worker import process

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
Make = Callable[[], Exporter]
Kind = Literal["dense", "convolutional"]
Models = dict[Kind, tuple[bytes, "Array"]]
KINDS: tuple[Kind, ...] = ("dense", "convolutional")


def images() -> "NDArray[np.uint8]":
    """Raw images: uint8, 40 × 8 × 8."""
    import numpy as np

    return np.random.default_rng(3).integers(0, 256, (40, 8, 8), dtype=np.uint8)


@cache
def _models() -> Models:
    return process.call(make_models, slot=Slot())  # type: ignore[no-any-return]


def make_models() -> Models:
    """Train a small model of 3 classes of each kind for a moment, and wrap it; give its file and its probabilities."""
    import keras
    import numpy as np

    from hpsearch.worker.raw_model import raw_model

    models: Models = {}
    for kind in KINDS:
        keras.utils.set_random_seed(5)
        model = raw_model(_trained(kind), images())
        with TemporaryDirectory() as folder:
            model.save(file := Path(folder) / "model.keras")
            models[kind] = file.read_bytes(), np.asarray(model(images()))
    return models


def _trained(kind: Kind) -> Any:
    import keras
    import numpy as np

    hidden = {
        "dense": [keras.layers.Flatten(), keras.layers.Dense(7, "relu", kernel_regularizer="l2")],
        "convolutional": [keras.layers.Conv2D(4, 3), keras.layers.Flatten()],
    }[kind]
    outer = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.4), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1) if kind == "convolutional" else (8, 8)), *hidden, *outer])
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 9)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    model.fit(images() / np.float32(255), np.arange(40) % 3, epochs=3, verbose=0)
    return model


def write(make: Make, model: Path, folder: Path) -> Sequence[Path]:
    """Have the exporter write, in a process with TensorFlow; what it and its libraries say is let go."""
    return process.call(_write, make, model, folder, slot=Slot())  # type: ignore[no-any-return]


def _write(make: Make, model: Path, folder: Path) -> list[Path]:
    from hpsearch.worker.quiet import silence

    with silence(1, 2):
        return list(make().write(model, folder, images()))


def _answers(make: Make, folder: Path, sizes: Sequence[int]) -> list[Any]:
    """What it gives for the first images, so many at a time as told."""
    import numpy as np

    from hpsearch.worker.quiet import silence

    with silence(1, 2):
        read = make().load(folder)
        return [np.asarray(read(images()[:size])) for size in sizes]


class ExporterContract:
    """The promises of an exporter."""

    tolerance: float | None = None
    """By how much a probability may differ from Keras's own, where that is not what the exporter says of itself."""

    @pytest.fixture
    def make(self) -> Make:
        """Override: what makes the exporter; it travels to other processes, so a class or a module's function."""
        raise NotImplementedError

    def same(self, make: Make, folder: Path, wanted: "Array") -> bool:
        """Whether the folder gives these predictions in a process that knows nothing else, one by one and together."""
        import numpy as np

        some, one, every = process.call(_answers, make, folder, (7, 1, len(wanted)))
        tolerance = make().tolerance if self.tolerance is None else self.tolerance
        exact = every.dtype == np.float32 and every.shape == wanted.shape
        together = np.allclose(some, every[:7], rtol=0, atol=1e-5) and np.allclose(one, every[:1], rtol=0, atol=1e-5)
        return exact and together and bool(np.allclose(every, wanted, rtol=0, atol=tolerance))

    @pytest.fixture
    def models(self) -> Models:
        """A model file of each kind, and what Keras predicts by it."""
        return _models()

    @pytest.mark.parametrize("kind", ["dense", "convolutional"])
    def test_the_exported_thing_alone_gives_the_same_predictions(  # the model file is gone, the folder elsewhere
        self, make: Make, models: Models, tmp_path: Path, kind: Kind
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "out"
        folder.mkdir()
        model.write_bytes(models[kind][0])

        write(make, model, folder)

        model.unlink()
        elsewhere = folder.rename(tmp_path / "elsewhere")
        assert self.same(make, elsewhere, models[kind][1])

    def test_the_files_named_are_all_that_is_written_and_say_nothing_of_the_place(
        self, make: Make, models: Models, tmp_path: Path
    ) -> None:
        model, folder = tmp_path / "model.keras", tmp_path / "out"
        folder.mkdir()
        model.write_bytes(models["dense"][0])

        written = write(make, model, folder)

        there = {file for file in folder.rglob("*") if file.is_file()}
        named = {file for path in written for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
        assert there == named
        assert folder / make().artefact in written
        assert [file for file in there if str(tmp_path).encode() in file.read_bytes()] == []
        assert model.read_bytes() == models["dense"][0]
