"""Looks at the test split with finished models, and counts how often each class was read as which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.worker.finding import find_build
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.rows import image_shape

BATCH_ROWS = 512
HALF = 0.5


@dataclass(frozen=True)
class Judgement:
    """What one model showed on the test split; `report` is scikit-learn's classification report as plain data."""

    accuracy: float
    report: Mapping[str, Any]
    confusion: tuple[tuple[int, ...], ...]


def judge(root: Path, build: str, data: Path, models: Sequence[Path], class_names: Sequence[str]) -> list[Judgement]:
    """Judge each model file on the test split of a prepared data set; the project's own layers are imported first."""
    import numpy as np

    find_build(root, build)
    images = np.load(data / "test" / "images.npy", mmap_mode="r")
    labels = np.load(data / "test" / "labels.npy")
    return [_judgement(labels, predict(read_model(file), images), class_names) for file in models]


def predict(model: Any, images: Any) -> Any:
    """The most probable class of every image (uint8, rows × height × width), read in batches: int64, rows."""
    import numpy as np

    shape = image_shape(images.shape[1:], model)
    parts = []
    for start in range(0, len(images), BATCH_ROWS):
        batch = np.asarray(images[start : start + BATCH_ROWS], dtype="float32") / np.float32(255)
        output = np.asarray(model(batch.reshape(-1, *shape), training=False))
        single = output.shape[-1] == 1  # one sigmoid for two classes
        parts.append(output[:, 0] >= HALF if single else np.argmax(output, axis=-1))
    return np.concatenate(parts).astype(np.int64)


def _judgement(labels: Any, predicted: Any, class_names: Sequence[str]) -> Judgement:
    from sklearn.metrics import classification_report, confusion_matrix

    every = range(len(class_names))
    report = classification_report(
        labels, predicted, labels=list(every), target_names=list(class_names), output_dict=True, zero_division=0
    )
    counts = confusion_matrix(labels, predicted, labels=list(every))
    confusion = tuple(tuple(int(count) for count in row) for row in counts)
    return Judgement(float((labels == predicted).mean()), report, confusion)
