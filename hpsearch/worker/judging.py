"""Looks at the test split with finished models: what each reads where, how surely, and how often rightly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.worker.finding import find_build
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.rows import image_shape, open_arrays

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH_ROWS = 512
HALF = 0.5
SLACK = 0.02  # by which a probability may seem more than 1 in a half-precision model


@dataclass(frozen=True)
class Judgement:
    """What one model showed on the test split; `report` is scikit-learn's classification report as plain data.

    `predicted` (int64, rows) is the class that it reads in each image, `confidence` (float32, rows) how probable it
    says that class is.
    """

    accuracy: float
    report: Mapping[str, Any]
    confusion: tuple[tuple[int, ...], ...]
    predicted: "NDArray[np.int64]" = field(compare=False)
    confidence: "NDArray[np.float32]" = field(compare=False)


def judge(root: Path, build: str, data: Path, models: Sequence[Path], class_names: Sequence[str]) -> list[Judgement]:
    """Judge each model file on the test split of a prepared data set; the project's own layers are imported first.

    Raises DataRefused when the data are gone.
    """
    find_build(root, build)
    images, labels = open_arrays(data / "test", "r")
    return [_judgement(labels, *predict(read_model(file), images), class_names) for file in models]


def predict(model: Any, images: Any) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    """The most probable class of every image (uint8, rows × height × width), and its probability, read in batches."""
    import numpy as np

    shape = image_shape(images.shape[1:], model)
    parts = []
    for start in range(0, len(images), BATCH_ROWS):
        batch = np.asarray(images[start : start + BATCH_ROWS], dtype="float32") / np.float32(255)
        parts.append(np.asarray(model(batch.reshape(-1, *shape), training=False), dtype="float32"))
    return _decide(_probabilities(np.concatenate(parts)))


def _probabilities(outputs: Any) -> Any:
    """A model's outputs as probabilities: logits are known by leaving 0 … 1, and get their sigmoid or softmax."""
    from scipy.special import expit, softmax

    if outputs.min() >= 0 and outputs.max() <= 1 + SLACK:
        return outputs
    return expit(outputs) if outputs.shape[-1] == 1 else softmax(outputs, axis=-1)


def _decide(probabilities: Any) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    import numpy as np

    if probabilities.shape[-1] == 1:  # one sigmoid for two classes
        second = probabilities[:, 0]
        return (second >= HALF).astype(np.int64), np.maximum(second, 1 - second).astype(np.float32)
    return np.argmax(probabilities, axis=-1).astype(np.int64), probabilities.max(axis=-1).astype(np.float32)


def _judgement(labels: Any, predicted: Any, confidence: Any, class_names: Sequence[str]) -> Judgement:
    from sklearn.metrics import classification_report, confusion_matrix

    every = range(len(class_names))
    report = classification_report(
        labels, predicted, labels=list(every), target_names=list(class_names), output_dict=True, zero_division=0
    )
    counts = confusion_matrix(labels, predicted, labels=list(every))
    confusion = tuple(tuple(int(count) for count in row) for row in counts)
    return Judgement(float((labels == predicted).mean()), report, confusion, predicted, confidence)
