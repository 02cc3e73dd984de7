"""Models are written so that what is read is the same; those of which that is not so are refused while it helps."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from hpsearch.errors import FolderUnusable
from hpsearch.worker.building import refuse_unkept
from hpsearch.worker.judging import outputs
from hpsearch.worker.keeping import NotKept, keep, own_kinds
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.task import Task

IMAGES = np.random.default_rng(1).integers(0, 256, (40, 4, 4), np.uint8)


@keras.saving.register_keras_serializable("keeping")
class Times(keras.layers.Layer):
    """Forgets by what it multiplies."""

    def __init__(self, factor: float = 1.0, **given: Any) -> None:
        super().__init__(**given)
        self.factor = factor

    def call(self, images: Any) -> Any:
        return self.factor * images

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # type: ignore[no-any-return]  # Keras has no types


@keras.saving.register_keras_serializable("keeping")
class Noisy(keras.layers.Layer):
    """Draws numbers whenever it is asked."""

    def call(self, images: Any) -> Any:
        return images * keras.random.uniform((1, 1))


class Unregistered(keras.layers.Layer):
    def call(self, images: Any) -> Any:
        return images


class Wordless(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras has no types
    """As in many a tutorial: without a get_config."""

    def __call__(self, step: Any) -> Any:
        return 0.1 / (1.0 + keras.ops.cast(step, "float32"))


def weighed(labels: Any, given: Any, *, by: float) -> Any:
    return by * keras.losses.sparse_categorical_crossentropy(labels, given)


class Called:
    """A loss that is an object."""

    def __call__(self, labels: Any, given: Any) -> Any:
        return weighed(labels, given, by=2.0)


def model(*layers: Any) -> Any:
    made = keras.Sequential(
        [keras.Input((4, 4)), keras.layers.Flatten(), *layers, keras.layers.Dense(3, activation="softmax")]
    )
    made.compile("sgd", "sparse_categorical_crossentropy")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "model.keras"
    keras.utils.clear_session()


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (lambda: keras.optimizers.SGD(Wordless()), "sparse_categorical_crossentropy"),
        (lambda: "sgd", partial(weighed, by=2.0)),
        (lambda: "sgd", Called()),
    ],
)
def test_what_a_model_is_compiled_with_need_not_be_told_of(file: Path, optimizer: Callable[[], Any], loss: Any) -> None:
    made = model()
    made.compile(optimizer(), loss)
    made.fit(IMAGES / 255.0, np.arange(40) % 3, verbose=0)

    keep(made, file, IMAGES, wary=True)

    assert np.array_equal(outputs(read_model(file), IMAGES), outputs(made, IMAGES))
    assert made.get_compile_config.__func__ is keras.Model.get_compile_config


def test_a_layer_that_forgets_what_it_was_made_with_is_refused(file: Path) -> None:
    keep(model(Times()), file, IMAGES)

    with pytest.raises(NotKept, match=r"answers otherwise(.|\n)*get_config"):
        keep(model(Times(30.0)), file, IMAGES)


def test_a_model_that_draws_numbers_is_kept(file: Path) -> None:
    keep(model(Noisy()), file, IMAGES)

    assert "Noisy" in str(own_kinds(read_model(file)))


@pytest.mark.parametrize(
    "layer",
    [
        Unregistered,
        lambda: keras.layers.Lambda(lambda images: images),
        lambda: keras.layers.Activation(partial(keras.ops.multiply, 2.0)),
    ],
)
def test_parts_that_no_file_holds_are_refused_and_leave_the_model_as_it_is(file: Path, layer: Any) -> None:
    made = model(layer())

    with pytest.raises(NotKept, match=r"cannot be saved and loaded again(.|\n)*register"):
        keep(made, file, IMAGES)

    assert made.get_compile_config()["loss"] == "sparse_categorical_crossentropy"


@keras.saving.register_keras_serializable("keeping")
class Vast(keras.layers.Layer):
    """Finds no memory when it is read."""

    def call(self, images: Any) -> Any:
        return images

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        raise MemoryError(config["name"])


def test_want_of_memory_is_no_fault_of_the_model(file: Path) -> None:
    with pytest.raises(MemoryError):
        keep(model(Vast()), file, IMAGES)


@keras.saving.register_keras_serializable("keeping")
class Quiet(keras.Sequential):
    """Is Keras's own in all but that no file of it can be read."""

    __module__ = "keras.of_the_test"

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        raise ValueError(config["name"], custom_objects)


def test_a_model_of_keras_s_parts_alone_is_read_back_too(file: Path) -> None:
    made = Quiet([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(3)])

    assert own_kinds(made) == set()
    with pytest.raises(NotKept, match="cannot be saved and loaded again"):
        keep(made, file, IMAGES)


def test_a_full_disk_is_no_fault_of_the_model(tmp_path: Path) -> None:
    made = model(Times())

    with pytest.raises(FileNotFoundError):
        keep(made, tmp_path / "gone" / "model.keras", IMAGES)


def test_a_full_folder_for_temporary_files_is_no_fault_of_a_sample_build(
    mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mounted("size=4k")
    monkeypatch.setattr(tempfile, "tempdir", str(disk))

    with pytest.raises(FolderUnusable, match=rf"^disk full: {disk}, (.|\n)*\n  or set TMPDIR"):
        refuse_unkept(model(Times()), Task((4, 4), 3, ("a", "b", "c"), rows=60, epochs=2, batch_size=20))


def test_own_parts_are_found_wherever_they_are() -> None:
    assert own_kinds(model()) == set()
    inner = keras.Sequential([Times(), keras.layers.Dense(4, activation=swished)])

    found = own_kinds(model(inner, keras.layers.Dense(3, kernel_regularizer=Halved())))

    assert sorted(name.split()[1] for name in found) == ["Halved", "Times", "function"]


def swished(values: Any) -> Any:
    return values * keras.ops.sigmoid(values)


class Halved(keras.regularizers.Regularizer):  # type: ignore[misc]  # Keras has no types
    def __call__(self, weights: Any) -> Any:
        return keras.ops.sum(weights) / 2

    def get_config(self) -> dict[str, Any]:
        return {}
