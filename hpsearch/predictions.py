"""Keeps what each judged model read on the test split: two models are compared without opening it again."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.errors import StateDamaged
from hpsearch.files import make, write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """One model's: the class it reads in each test image (int64, rows) and that class's probability (float32, rows).

    `digest` is the SHA-256 of the prepared data that the images are from.
    """

    predicted: "NDArray[np.int64]"
    confidence: "NDArray[np.float32]"
    digest: str


def keep(file: Path, predictions: Predictions) -> None:
    """Write an .npz file, whole or not at all."""
    import numpy as np

    make(file.parent)
    predicted, confidence = predictions.predicted.astype(np.int64), predictions.confidence.astype(np.float32)

    def fill(temporary: Path) -> None:
        np.savez_compressed(temporary, predicted=predicted, confidence=confidence, digest=np.array(predictions.digest))

    write(file, fill)


def recall(file: Path, digest: str) -> Predictions:
    """Read them; raise StateDamaged when they are missing, damaged, or of other data than these."""
    import numpy as np

    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            kept = Predictions(arrays["predicted"], arrays["confidence"], str(arrays["digest"]))
    except Exception as error:  # a damaged zip file raises almost anything
        message = f"{file}: these predictions are missing or damaged ({type(error).__name__})"
        raise StateDamaged(message) from error
    if kept.digest != digest:
        message = f"{file}: these predictions are of other data (their digest is {kept.digest[:12]}, not {digest[:12]})"
        raise StateDamaged(message)
    return kept
