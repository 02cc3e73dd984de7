"""Wraps a trained model so that it takes raw images and gives probabilities: nobody has to know how it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.paths import write
from hpsearch.worker.finding import find_build
from hpsearch.worker.judging import are_logits, outputs
from hpsearch.worker.model_reading import configuration, own_parts, read_model
from hpsearch.worker.rows import image_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Wrapped:
    """A wrapped model: its number of weights, and the parts whose code the project has, by their registered names."""

    parameters: int
    own: tuple[str, ...]


def wrap(root: Path, build: str, model: Path, samples: "Images", target: Path) -> Wrapped:
    """Write the wrapped model of a `.keras` file; the project's own layers are imported first.

    `samples` (uint8, rows × height × width) are training images. Raises StateDamaged when the file cannot be loaded.
    """
    find_build(root, build)
    inner = read_model(model)
    write(target, raw_model(inner, samples).save)
    return Wrapped(inner.count_params(), tuple(sorted(own_parts(configuration(target)))))


def raw_model(model: Any, samples: "Images") -> Any:
    """A Keras model that takes raw images (uint8, rows × height × width) and gives float32, rows × classes.

    Whether the model gives logits is seen by what it gives for the samples, as when it was judged.
    """
    import keras
    from keras import ops

    sizes = samples.shape[1:]
    images = keras.Input(sizes, dtype="uint8", name="images")
    scaled = ops.divide(ops.cast(images, "float32"), 255.0)
    given = ops.cast(model(ops.reshape(scaled, (-1, *image_shape(sizes, model)))), "float32")
    return keras.Model(images, _probabilities(given, logits=are_logits(outputs(model, samples))), name="raw_images")


def _probabilities(given: Any, *, logits: bool) -> Any:
    from keras import ops

    if given.shape[-1] > 1:
        return ops.softmax(given, axis=-1) if logits else given
    second = ops.sigmoid(given) if logits else given
    return ops.concatenate([ops.subtract(1.0, second), second], axis=-1)
