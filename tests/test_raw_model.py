"""The wrapped model: raw images in, probabilities out, whatever the model inside takes and gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.errors import ExperimentRefused, NotExported
from hpsearch.worker import process
from hpsearch.worker.raw_model import wrap

IMAGES = np.random.default_rng(2).integers(0, 256, (700, 6, 4), dtype=np.uint8)


def inner(shape: tuple[int, ...], units: int, activation: str | None) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    hidden = [keras.layers.Dropout(0.5), keras.layers.Flatten(), keras.layers.BatchNormalization()]
    far = keras.initializers.RandomNormal(stddev=5.0)  # its logits leave 0 … 1
    return keras.Sequential(
        [keras.Input(shape), *hidden, keras.layers.Dense(units, activation, kernel_initializer=far)]
    )


def wrapped_and_loaded(file: Path, *model: Any) -> Any:
    """What a wrapped model gives after a journey through its file, and what the model itself does, read as judged."""
    import keras

    from hpsearch.worker.judging import class_probabilities, predict
    from hpsearch.worker.raw_model import raw_model

    own = inner(*model)
    raw_model(own, IMAGES[:100]).save(file)
    loaded = keras.models.load_model(file, compile=False, safe_mode=True)
    return np.asarray(loaded(IMAGES)), class_probabilities(own, IMAGES), predict(own, IMAGES)


@pytest.mark.parametrize(
    ("shape", "units", "activation"),
    [
        ((6, 4), 3, "softmax"),
        ((6, 4, 1), 3, None),
        ((24,), 1, "sigmoid"),
        ((6, 4), 1, None),
        ((6, 4, 1), 2, "softmax"),
    ],
)
def test_a_wrapped_model_reads_raw_images_as_the_model_itself_reads_scaled_ones(
    tmp_path: Path, shape: tuple[int, ...], units: int, activation: str | None
) -> None:
    given, wanted, (predicted, confidence) = process.call(
        wrapped_and_loaded, tmp_path / "raw.keras", shape, units, activation
    )

    assert given.dtype == np.float32
    assert given.shape == (700, max(2, units))
    assert given == pytest.approx(wanted, abs=1e-6)
    assert given.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (given.argmax(axis=1) == predicted).mean() > 0.99
    assert given.max(axis=1) == pytest.approx(confidence, abs=1e-6)


SPACE = """
import keras

@keras.saving.register_keras_serializable("mine")
class Eager(keras.Model):
    def __init__(self, **given):
        super().__init__(**given)
        self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")

    def call(self, images):
        return self.dense(self.flat(keras.ops.convert_to_tensor(images.numpy())))

def eager(hp):
    return Eager()

def wide(hp):
    return keras.Sequential([keras.Input((6, 4)), keras.layers.Flatten(), keras.layers.Dense(5)])
"""


def make(root: Path, spec: str, file: Path) -> None:
    from hpsearch.worker.finding import find_build

    model = find_build(root, spec)(None)
    model(np.zeros((1, 6, 4), np.float32))
    model.save(file)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("eager", "cannot be made into a graph, which every format holds"),
        ("wide", r"\(None, 5\), and there are 3 classes"),
    ],
)
def test_a_model_that_has_no_graph_or_another_width_than_classes_is_refused_in_a_sentence(
    tmp_path: Path, kind: str, words: str
) -> None:
    (tmp_path / "space.py").write_text(SPACE)
    place = (tmp_path, f"space:{kind}")
    process.call(make, *place, tmp_path / "model.keras")

    with pytest.raises(NotExported, match=words):
        process.call(wrap, *place, tmp_path / "model.keras", IMAGES[:10], 3, tmp_path / "raw.keras")


def test_a_model_without_layers_of_the_projects_own_is_read_whatever_became_of_its_search_space(
    tmp_path: Path,
) -> None:
    space = tmp_path / "space.py"
    space.write_text(SPACE)
    for kind in ("wide", "eager"):
        process.call(make, tmp_path, f"space:{kind}", tmp_path / f"{kind}.keras")
    space.write_text("import keras\n\n1 / 0\n")

    def wrapped(kind: str) -> Any:
        target = tmp_path / "raw.keras"
        return process.call(wrap, tmp_path, f"space:{kind}", tmp_path / f"{kind}.keras", IMAGES[:10], 5, target)

    assert wrapped("wide").own == ()
    with pytest.raises(ExperimentRefused, match=r"space\.py, line 3: ZeroDivisionError"):
        wrapped("eager")


def half_precision(file: Path) -> Any:
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    return wrapped_and_loaded(file, (6, 4), 3, "softmax")


def test_a_half_precision_model_gives_full_precision_numbers(tmp_path: Path) -> None:
    given, wanted, _ = process.call(half_precision, tmp_path / "raw.keras")

    assert given.dtype == np.float32
    assert given == pytest.approx(wanted, abs=1e-2)
