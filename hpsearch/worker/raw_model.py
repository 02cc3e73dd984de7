"""Wraps a trained model so that it takes raw images and gives probabilities: nobody has to know how it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.errors import NotExported, first_line
from hpsearch.files import write
from hpsearch.worker.judging import are_logits, outputs
from hpsearch.worker.model_reading import configuration, own_parts, read_model
from hpsearch.worker.own_layers import own_layers
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


def wrap(root: Path, build: str, model: Path, samples: "Images", classes: int, target: Path) -> Wrapped:
    """Write the wrapped model of a `.keras` file; the project's own layers are imported first, where it has any.

    `samples` (uint8, rows × height × width) are training images. Raises StateDamaged when the file cannot be loaded,
    NotExported when the model has no graph, or gives more or fewer values than there are classes.
    """
    with own_layers(root, build):
        inner = read_model(model)
    whole = _in_a_graph(inner, samples)
    if whole.output_shape != (None, classes):
        message = (
            f"the model gives values of shape {whole.output_shape}, and there are {classes} classes: "
            "nobody could say what they are of\n  search again with a last layer of hp.task.classes units"
        )
        raise NotExported(message)
    write(target, whole.save)
    return Wrapped(inner.count_params(), tuple(sorted(own_parts(configuration(target)))))


def _in_a_graph(model: Any, samples: "Images") -> Any:
    try:
        return raw_model(model, samples)
    except MemoryError:
        raise
    except Exception as error:  # a layer that only runs eagerly may raise anything
        why = f"{type(error).__name__}: {first_line(str(error).strip())}"
        message = (
            f"the model cannot be made into a graph, which every format holds ({why})\n"
            "  let its layers compute by keras.ops alone, and search again"
        )
        raise NotExported(message) from error


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
