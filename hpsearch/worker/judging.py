"""Looks at the test split with finished models, and counts how often each class was read as which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BATCH_ROWS = 512


@dataclass(frozen=True)
class Judgement:
    """What one model showed on the test split; `report` is scikit-learn's classification report as plain data."""

    accuracy: float
    report: Mapping[str, Any]
    confusion: tuple[tuple[int, ...], ...]


def judge(data: Path, models: Sequence[Path], class_names: Sequence[str]) -> list[Judgement]:
    """Judge each model file on the test split of a prepared data set."""
    import keras
    import numpy as np

    images = np.load(data / "test" / "images.npy", mmap_mode="r")
    labels = np.load(data / "test" / "labels.npy")
    judgements = []
    for file in models:
        model = keras.models.load_model(file, compile=False, safe_mode=True)
        judgements.append(_judgement(labels, _predict(model, images), class_names))
    return judgements


def _predict(model: Any, images: Any) -> Any:
    """The most probable class of every image, read in batches as the search does: float32, 0 to 1."""
    import numpy as np

    shape = tuple(model.input_shape[1:])
    parts = []
    for start in range(0, len(images), BATCH_ROWS):
        batch = np.asarray(images[start : start + BATCH_ROWS], dtype="float32") / np.float32(255)
        parts.append(np.argmax(model(batch.reshape(-1, *shape), training=False), axis=-1))
    return np.concatenate(parts)


def _judgement(labels: Any, predicted: Any, class_names: Sequence[str]) -> Judgement:
    from sklearn.metrics import classification_report, confusion_matrix

    every = range(len(class_names))
    report = classification_report(
        labels, predicted, labels=list(every), target_names=list(class_names), output_dict=True, zero_division=0
    )
    counts = confusion_matrix(labels, predicted, labels=list(every))
    confusion = tuple(tuple(int(count) for count in row) for row in counts)
    return Judgement(float((labels == predicted).mean()), report, confusion)
