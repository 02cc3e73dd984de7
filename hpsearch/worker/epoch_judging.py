"""Looks at the test split with one model, as it was after each of its epochs."""

from dataclasses import dataclass
from pathlib import Path

from hpsearch.worker.finding import find_build
from hpsearch.worker.judging import predict, reader
from hpsearch.worker.model_reading import read_model


@dataclass(frozen=True)
class Run:
    """A trained model's file, and a file with its weights for each epoch, from the first."""

    model: Path
    epochs: tuple[Path, ...]


def judge_epochs(root: Path, build: str, data: Path, run: Run) -> tuple[float, ...]:
    """The accuracy of each epoch on the test split of a prepared data set; raise ValueError for other weights."""
    import numpy as np

    from hpsearch.worker import checkpoint

    find_build(root, build)
    images = np.load(data / "test" / "images.npy", mmap_mode="r")
    labels = np.load(data / "test" / "labels.npy")
    model, accuracies = read_model(run.model), []
    read = reader(model, images)
    for weights in run.epochs:
        checkpoint.load_weights(weights, model)
        predicted, _ = predict(model, images, read)
        accuracies.append(float((predicted == labels).mean()))
    return tuple(accuracies)
