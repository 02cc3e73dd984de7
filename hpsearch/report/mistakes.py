"""Finds the test images that the winner read wrong and was surest of, as small pictures."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import words
from hpsearch.datasets.prepared import all_prepared, load
from hpsearch.errors import StateDamaged
from hpsearch.predictions import recall
from hpsearch.report.facts import Facts

if TYPE_CHECKING:
    import numpy as np

MOST = 24


@dataclass(frozen=True)
class Mistake:
    """An image of the test split, upright, as a PNG data URI; `confidence` is the probability of what was read."""

    row: int
    true: str
    read: str
    confidence: float
    picture: str


def surest(facts: Facts, predictions: Path) -> tuple[Mistake, ...]:
    """The wrong predictions of the winner's model with the highest confidence, the surest first.

    Gives () where the predictions or the prepared images are not there any more, or are not those that were judged.
    """
    import numpy as np

    if not facts.verdict:
        return ()
    data = next((one for one in all_prepared() if one.digest == facts.provenance.get("data_digest")), None)
    if data is None:
        return ()
    try:
        kept = recall(predictions / f"{facts.verdict.model_fit}.npz", data.digest)
        images, labels = load(data.folder, "test")
    except (StateDamaged, OSError, ValueError):  # a report does without what cannot be read
        return ()
    if not len(kept.predicted) == len(kept.confidence) == len(labels):
        return ()
    wrong = np.flatnonzero(kept.predicted != labels)
    first = wrong[np.argsort(-kept.confidence[wrong], kind="stable")][:MOST]
    names = [words.clean(name, 20) for name in facts.verdict.class_names]
    return tuple(
        Mistake(
            int(row), names[labels[row]], names[kept.predicted[row]], float(kept.confidence[row]), _picture(images[row])
        )
        for row in first
    )


def _picture(image: "np.ndarray[Any, Any]") -> str:
    """A uint8 image (height × width) as a PNG data URI."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
