"""Says which validation rows a trained model reads right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.worker.judging import predict
from hpsearch.worker.rows import Rows

ROUNDING = 0.002  # of the rows may be read otherwise than in training, by the order in which sums are taken


def hits_of(model: Any, rows: Rows, accuracy: float) -> NDArray[np.bool_] | None:
    """One bool a validation row; None where their mean is not `accuracy`, so that it must mean something else."""
    predicted, _ = predict(model, rows.images[rows.validation])
    found = predicted == rows.labels[rows.validation]
    explained = abs(float(found.mean()) - accuracy) * len(found) <= 1 + ROUNDING * len(found)
    return found if explained else None
