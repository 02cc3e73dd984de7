"""Looks at the test split with finished models: what each reads where, how surely, and how often rightly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hpsearch.worker.finding import find_build
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.rows import image_shape, open_arrays, rows_at_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Reader = Callable[[NDArray[np.float32]], Any]
    Reading = tuple[NDArray[np.int64], NDArray[np.float32]]  # of each row the class, and how probable it is said to be

BATCH_ROWS = 512
HALF = 0.5
SHARES = ("precision", "recall", "f1-score")
SLACK = 0.02  # by which a probability may seem more than 1 in a half-precision model


@dataclass(frozen=True)
class Judgement:
    """What one model showed on the test split; `report` is scikit-learn's classification report as plain data.

    In it a class without rows has None for figures, and no part in the macro averages.

    `predicted` (int64, rows) is the class that it reads in each image, `confidence` (float32, rows) how probable it
    says that class is.
    """

    accuracy: float
    report: Mapping[str, Any]
    confusion: tuple[tuple[int, ...], ...]
    predicted: "NDArray[np.int64]" = field(compare=False)
    confidence: "NDArray[np.float32]" = field(compare=False)


def read_test(root: Path, build: str, data: Path, models: Sequence[Path]) -> "list[Reading]":
    """What each model file reads in the test split of prepared data; the project's own layers are imported first.

    Raises DataRefused when the data are gone.
    """
    find_build(root, build)
    images, _ = open_arrays(data / "test", "r")
    return [predict(read_model(file), images) for file in models]


def predict(model: Any, images: Any, read: "Reader | None" = None) -> "Reading":
    """The most probable class of every image (uint8, rows × height × width), and its probability, read in batches.

    `read` is what `reader` gives, where it is made once for several times.
    """
    return _decide(_probabilities(outputs(model, images, read)))


def outputs(model: Any, images: Any, read: "Reader | None" = None) -> "NDArray[np.float32]":
    """What the model gives for images (uint8, rows × height × width), scaled as in training: float32, a row each."""
    import numpy as np

    shape = image_shape(images.shape[1:], model)
    rows, read, parts = rows_at_once(BATCH_ROWS, shape), read or reader(model, images), []
    for start in range(0, len(images), rows):
        batch = np.divide(images[start : start + rows], 255, dtype=np.float32)
        parts.append(np.asarray(read(batch.reshape(-1, *shape)), dtype="float32"))
    return np.concatenate(parts)


def reader(model: Any, images: Any) -> "Reader":
    """The model as a graph for such images, whatever its weights become.

    It lets go of what a layer gave once it is used; called as it is, Keras keeps it all.
    """
    import keras

    def called(images: Any) -> Any:
        return model(images, training=False)

    if keras.backend.backend() != "tensorflow":
        return called
    import tensorflow as tf

    shape = (None, *image_shape(images.shape[1:], model))
    graph = tf.function(called, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    try:
        graph.get_concrete_function()
    except Exception:  # noqa: BLE001  # a layer that only runs eagerly may raise anything
        return called
    return graph  # type: ignore[no-any-return]  # TensorFlow has no types


def are_logits(given: Any) -> bool:
    """Whether a model's outputs are logits: they are known by leaving 0 … 1."""
    return not (given.min() >= 0 and given.max() <= 1 + SLACK)


def _probabilities(given: Any) -> Any:
    """A model's outputs as probabilities: logits get their sigmoid or softmax."""
    from scipy.special import expit, softmax

    if not are_logits(given):
        return given
    return expit(given) if given.shape[-1] == 1 else softmax(given, axis=-1)


def class_probabilities(model: Any, images: Any) -> "NDArray[np.float32]":
    """How probable each class is for every image (uint8, rows × height × width): float32, rows × classes.

    One sigmoid for two classes becomes two columns.
    """
    import numpy as np

    found = _probabilities(outputs(model, images))
    return np.concatenate([1 - found, found], axis=-1) if found.shape[-1] == 1 else np.asarray(found, np.float32)


def _decide(probabilities: Any) -> "Reading":
    import numpy as np

    if probabilities.shape[-1] == 1:  # one sigmoid for two classes
        second = probabilities[:, 0]
        return (second >= HALF).astype(np.int64), np.maximum(second, 1 - second).astype(np.float32)
    return np.argmax(probabilities, axis=-1).astype(np.int64), probabilities.max(axis=-1).astype(np.float32)


def judgement(labels: Any, predicted: Any, confidence: Any, class_names: Sequence[str]) -> Judgement:
    """What these readings of the labelled rows come to."""
    from sklearn.metrics import classification_report, confusion_matrix

    every = range(len(class_names))
    report = classification_report(
        labels, predicted, labels=list(every), target_names=list(class_names), output_dict=True, zero_division=0
    )
    _leave_out_empty(report, class_names)
    counts = confusion_matrix(labels, predicted, labels=list(every))
    confusion = tuple(tuple(int(count) for count in row) for row in counts)
    return Judgement(float((labels == predicted).mean()), report, confusion, predicted, confidence)


def _leave_out_empty(report: dict[str, Any], class_names: Sequence[str]) -> None:
    """A class without rows has no figures, and no part in the macro averages: scikit-learn takes it for all wrong."""
    tested = [report[name] for name in class_names if report[name]["support"]]
    if len(tested) == len(class_names):
        return
    for key in SHARES:
        report["macro avg"][key] = fmean(row[key] for row in tested)
        for name in class_names:
            report[name][key] = report[name][key] if report[name]["support"] else None
