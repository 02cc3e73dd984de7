"""Turns the experiment's wish for class weights into one number a class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hpsearch.datasets.mapping import as_read
from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.nearest import hint

Wish = Literal["balanced"] | Mapping[str, float] | None


def class_weights(wish: Wish, class_names: tuple[str, ...], labels: Path) -> tuple[float, ...]:
    """A weight for each class, or () where all count alike; raise ExperimentRefused for a class that is not there.

    "balanced" makes all classes of `labels` (.npy, int64) weigh the same in sum: rows / (classes × rows of the
    class), as scikit-learn does. A class without rows, which weighs nothing, gets 1.
    """
    if wish is None:
        return ()
    if wish == "balanced":
        import numpy as np
        from sklearn.utils.class_weight import compute_class_weight

        found = np.load(labels)
        present = np.unique(found)
        weights = dict(zip(present.tolist(), compute_class_weight("balanced", classes=present, y=found), strict=True))
        return tuple(float(weights.get(number, 1.0)) for number in range(len(class_names)))
    asked, known = {as_read(name): weight for name, weight in wish.items()}, [as_read(name) for name in class_names]
    if unknown := [name for name in wish if as_read(name) not in known]:
        mistakes = [
            Mistake(f"train.class_weight.{name}", f"there is no class {name!r}", hint(name, class_names))
            for name in unknown
        ]
        raise ExperimentRefused(mistakes)
    return tuple(asked.get(name, 1.0) for name in known)
