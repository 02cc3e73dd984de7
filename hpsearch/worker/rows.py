"""The rows a fit trains and validates on, in the shapes that its model wants."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

WANT_ONE_HOT = {
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "cosine_similarity",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson",
    "squared_hinge",
    "tversky",
}


class ShapesDisagree(ValueError):  # noqa: N818  named by its consequence, as all our errors are
    """The model cannot take these images or these labels; the text names both shapes."""


@dataclass(frozen=True)
class Rows:
    """A prepared data set and which of its rows train and validate (int64 row numbers).

    `images` is uint8, rows × height × width; `labels` int64, one a row; both may be memory-mapped.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, split: Path) -> Self:
        """Map images.npy and labels.npy of a folder (a prepared data set's train/) and read a split (.npz)."""
        images, labels = (np.load(folder / name, mmap_mode="r") for name in ("images.npy", "labels.npy"))
        with np.load(split) as rows:
            return cls(images, labels, rows["train"], rows["validation"])

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The training rows in the order of an epoch: the same for the same seed and epoch, whatever came before."""
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        return self.train[generator.permutation(len(self.train))]


@dataclass(frozen=True)
class Fitted:
    """Rows as one model wants them: each image in `shape`, labels one-hot over `one_hot` classes unless that is 0."""

    rows: Rows
    shape: tuple[int, ...]
    one_hot: int = 0

    def batch(self, numbers: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """These rows as float32 images in 0 … 1 and their labels (int64, or float32 if one-hot)."""
        images = self.rows.images[numbers].reshape(-1, *self.shape).astype(np.float32) / np.float32(255)
        labels = self.rows.labels[numbers]
        return images, (np.eye(self.one_hot, dtype=np.float32)[labels] if self.one_hot else labels)


def fitted(rows: Rows, model: Any) -> Fitted:
    """Reshape images and labels to what the compiled model wants, building it if it is not built yet.

    Raise ShapesDisagree when no reshaping helps.
    """
    shape = _image_shape(rows, model)
    if not model.built:
        model.build((None, *shape))
    return Fitted(rows, shape, _one_hot(rows, model, model.compute_output_shape((None, *shape))))


def _image_shape(rows: Rows, model: Any) -> tuple[int, ...]:
    height, width = rows.images.shape[1:]
    shapes = [(height, width, 1), (height, width), (height * width,)]
    if not model.built:
        return next((shape for shape in shapes if _ends_flat(model, shape)), shapes[0])
    wanted = model.input_shape
    for shape in shapes:
        if isinstance(wanted, tuple) and _takes(wanted, shape):
            return shape
    message = f"the model takes inputs of shape {wanted}, but the images are {height} × {width}"
    raise ShapesDisagree(f"{message}\n  let its Input have one of the shapes {', '.join(map(str, shapes))}")


def _takes(wanted: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    if len(wanted) != len(shape) + 1:
        return False
    return all(want in {None, size} for want, size in zip(wanted[1:], shape, strict=True))


def _ends_flat(model: Any, shape: tuple[int, ...]) -> bool:
    try:
        return len(model.compute_output_shape((None, *shape))) == len(("rows", "classes"))
    except Exception:  # noqa: BLE001  a user's layer may raise anything at a shape it does not like: try the next
        return False


def _one_hot(rows: Rows, model: Any, outputs: Any) -> int:
    classes = int(rows.labels.max()) + 1
    wants, known = _wants_one_hot(model.loss)
    if not known:
        return 0
    single = wants and outputs[-1] == 1
    if isinstance(outputs, tuple) and len(outputs) == len(("rows", "classes")) and (outputs[-1] >= classes or single and classes <= 2):
        return outputs[-1] if wants and not single else 0
    message = f"the model ends in shape {outputs}, but the labels have shape ({len(rows.labels)},) and {classes} classes"
    raise ShapesDisagree(f"{message}\n  let its last layer have {classes} units (hp.task.classes)")


def _wants_one_hot(loss: Any) -> tuple[bool, bool]:
    """Whether the loss compares with one-hot labels, and whether it is known at all (Keras's own)."""
