"""The rows a fit trains and validates on, in the shapes that its model wants."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import DataRefused

SMALL = 64 * 64  # pixels of an image, beyond which fewer are read at once
EITHER = ("crossentropy", "ce")  # by which Keras means the loss that fits the labels: of integers, the sparse one
NUMBERED = "categorical_generalized_cross_entropy"  # takes integers, as the sparse ones do, whatever it is called
FLAT = 2  # the rank of an output of shape (rows, classes)
SIGMOID_CLASSES = 2  # that one sigmoid tells apart


class ShapesDisagree(ValueError):
    """The model cannot take these images or these labels; the text names both shapes."""


def open_arrays(folder: Path, mode: Literal["r", "c"]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Map images.npy and labels.npy of a part of a prepared data set; raise DataRefused when they are gone or cut."""
    try:
        images, labels = (np.load(folder / name, mmap_mode=mode) for name in ("images.npy", "labels.npy"))
    except (OSError, ValueError) as error:
        message = f"{folder}: the prepared data are gone or damaged ({error})\n  the same command prepares them again"
        raise DataRefused(message) from error
    return images, labels


@dataclass(frozen=True)
class Rows:
    """A prepared data set and which of its rows train and validate (int64 row numbers).

    `images` is uint8, rows × height × width; `labels` int64, one a row; both may be memory-mapped.
    `weights` (float32, one a row) weigh each row's loss in training, as Keras's sample_weight does.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None

    @classmethod
    def open(cls, folder: Path, split: Path, class_weights: Sequence[float] = ()) -> Self:
        """Map images.npy and labels.npy of a folder (a prepared data set's train/) and read a split (.npz).

        They are mapped copy-on-write: all processes share one copy, and nothing written reaches the file.
        `class_weights`, one a class, become the weights of the rows. Raises DataRefused when the data are gone.
        """
        images, labels = open_arrays(folder, "c")
        with np.load(split) as rows:
            weights = np.asarray(class_weights, np.float32)[labels] if class_weights else None
            return cls(images, labels, rows["train"], rows["validation"], weights)

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The training rows in the order of an epoch: the same for one seed and epoch, whatever came before."""
        return self.train[permutation(seed, epoch, len(self.train))]


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The numbers below `count` in the order of an epoch: the same for one seed and epoch, whatever came before."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    return generator.permutation(count)


@dataclass(frozen=True)
class Fitted:
    """Rows as one model wants them: each image in `shape`, labels one-hot over `one_hot` classes unless that is 0."""

    rows: Rows
    shape: tuple[int, ...]
    one_hot: int = 0

    def batch(self, numbers: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """These rows as float32 images in 0 … 1 and their labels (int64, or float32 if one-hot)."""
        images = self.rows.images[numbers].reshape(-1, *self.shape).astype(np.float32) / np.float32(255)
        labels = self.rows.labels[numbers]
        return images, (np.eye(self.one_hot, dtype=np.float32)[labels] if self.one_hot else labels)

    def weighed(self, numbers: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """These rows as `batch` gives them, with their weights behind where there are any."""
        weights = () if self.rows.weights is None else (self.rows.weights[numbers],)
        return (*self.batch(numbers), *weights)


def rows_at_once(most: int, shape: Sequence[int]) -> int:
    """How many images of a shape go through a model at once where nothing is learnt: `most`, fewer of large ones."""
    return max(1, min(most, most * SMALL // prod(shape)))


def fitted(rows: Rows, model: Any) -> Fitted:
    """Reshape images and labels to what the compiled model wants, building it if it is not built yet.

    Raise ShapesDisagree when no reshaping helps, or when it gives more than one output.
    """
    shape = image_shape(rows.images.shape[1:], model)
    outputs = output_shape(model, shape)
    _refuse_several(outputs)
    return Fitted(rows, shape, _one_hot(rows, model, outputs))


def image_shape(image: Sequence[int], model: Any) -> tuple[int, ...]:
    """The shape in which the model takes an image of height × width; raise ShapesDisagree when it takes none."""
    height, width = image
    shapes: list[tuple[int, ...]] = [(height, width, 1), (height, width), (height * width,)]
    try:
        wanted = model.input_shape
    except (AttributeError, ValueError):  # a subclassed or not yet built model does not say what it takes
        return _probed(model, shapes)
    for shape in shapes:
        if _takes(wanted, shape):
            return shape
    message = (
        f"the model takes inputs of shape {wanted}, but gets grey images of {height} × {width}\n"
        f"  let its Input have one of the shapes {', '.join(map(str, shapes))}"
    )
    raise ShapesDisagree(message)


def _takes(wanted: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(wanted, tuple) or len(wanted) != len(shape) + 1:
        return False
    return all(want in {None, size} for want, size in zip(wanted[1:], shape, strict=True))


def _probed(model: Any, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The first shape that a Sequential turns into (rows, classes); other models are built by calling, so only once."""
    import keras

    for shape in shapes if isinstance(model, keras.Sequential) else ():
        try:
            if len(model.compute_output_shape((None, *shape))) == FLAT:
                return shape
        except Exception:  # noqa: BLE001, S112  a layer may raise anything at a shape it does not like
            continue
    return shapes[0]


def output_shape(model: Any, shape: tuple[int, ...]) -> Any:
    """The shape the model ends in, given images in `shape`; one that does not know is called once, which builds it.

    What only training calls is built, too: an optimizer learns all variables at once, and so does a checkpoint.
    """
    if model.built and hasattr(model, "output_shape"):
        named = getattr(model, "_outputs_struct", None)  # output_shape does not tell of a dict that holds one output
        found = named if isinstance(named, dict) else model.output_shape
    else:
        outputs = one_output(model, shape)
        found = (None, *outputs.shape[1:]) if hasattr(outputs, "shape") else outputs
    if not all(layer.built for layer in model._flatten_layers()):  # noqa: SLF001  # which gives nested ones, too
        with suppress(Exception):  # what cannot be called so can perhaps be called eagerly, or says why in training
            _symbol(model, shape, training=True)
    return found


def one_output(model: Any, shape: tuple[int, ...]) -> Any:
    """What the model gives for one image in `shape`: Keras's symbol of it, which moves no state, or else the tensor."""
    import keras

    with suppress(Exception):  # a layer that only runs eagerly may raise anything
        if isinstance(model, keras.Sequential) and not model.built:
            model.build((None, *shape))  # else it would say in its summary, and where it is kept, that it takes one row
        found = _symbol(model, shape)
        if None not in getattr(found, "shape", ()):
            return found
    return model(np.zeros((1, *shape), np.float32))


def _symbol(model: Any, shape: tuple[int, ...], *, training: bool = False) -> Any:
    """Call the model as Keras itself does to build one: nothing is computed, and no state moves."""
    import keras
    from keras.src.backend import compute_output_spec  # which has no public name

    return compute_output_spec(model, keras.KerasTensor((1, *shape)), training=training)


def _refuse_several(outputs: Any) -> None:
    """Raise ShapesDisagree unless these are the sizes of one tensor."""
    if not isinstance(outputs, tuple) or not all(isinstance(size, int | None) for size in outputs):
        message = (
            f"the model gives a {type(outputs).__name__} of outputs, where hpsearch trains and judges one\n"
            "  let it end in one tensor of shape (rows, classes)"
        )
        raise ShapesDisagree(message)


def refuse_other_width(outputs: Any, classes: int) -> None:
    """Raise ShapesDisagree unless a model that ends in this shape gives a value for each class, or one for two.

    A wider one learns all the same, and nobody could say what the values beyond the classes are of.
    """
    two = classes == SIGMOID_CLASSES
    if len(outputs) == FLAT and outputs[-1] in ({classes, 1} if two else {classes}):
        return
    units = f"{classes} units (hp.task.classes)" + (", or 1" if two else "")
    message = f"the model ends in shape {outputs}, and there are {classes} classes\n  let the last layer have {units}"
    raise ShapesDisagree(message)


def _rank(shape: Any) -> int | None:
    return len(shape) if isinstance(shape, tuple) else None


def _one_hot(rows: Rows, model: Any, outputs: Any) -> int:
    classes = int(rows.labels.max(initial=0)) + 1
    loss = keras_loss(model.loss)
    if loss is None:
        return 0
    units = outputs[-1] if _rank(outputs) == FLAT else 0
    sparse = loss.startswith("sparse") or loss == NUMBERED
    if units == 1 and classes <= FLAT and not sparse:
        return 0  # one sigmoid for two classes
    if units is None or units >= classes:
        return 0 if sparse or loss in EITHER else int(units or classes)
    message = (
        f"the model ends in shape {outputs}, the labels have shape ({len(rows.labels)},) and {classes} classes\n"
        f"  let the last layer have {classes} units (hp.task.classes)"
    )
    raise ShapesDisagree(message)


def keras_loss(loss: Any) -> str | None:
    """The name of a loss that is Keras's own, None for a person's own, whose labels stay integers."""
    import keras

    while isinstance(loss, dict | list | tuple):  # of a model with one output, Keras takes the first
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss), None)
    if str(loss).lower() in EITHER:
        return EITHER[0]
    function = keras.losses.get(loss)
    function = getattr(function, "fn", function)  # Keras's loss classes wrap a function
    name, module = getattr(function, "__name__", None), getattr(function, "__module__", None) or ""
    return str(name) if name and module.startswith("keras.") else None
