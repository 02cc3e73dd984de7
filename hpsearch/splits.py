"""Which rows train and which validate: stratified, and the same for the same study, fold and repeat."""

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.dividing import Strata, hindrance, rarity
from hpsearch.errors import DataRefused, StateDamaged
from hpsearch.experiment import Experiment
from hpsearch.files import make, write
from hpsearch.seeds import derive
from hpsearch.trial import Fit

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class Splits:
    """The splits of one study, each written once as an .npz file of two int64 row-number arrays."""

    def __init__(self, experiment: Experiment, labels: Path, folder: Path) -> None:
        """Split the rows that `labels` (an .npy of int64) labels; files go to `folder`."""
        self._data, self._seed, self._labels, self._folder = experiment.data, experiment.seed, labels, folder
        self._sound: set[Path] = set()

    def file(self, fit: Fit) -> Path:
        """The split of a fit, written if it is not there yet; raise StateDamaged if it is not what was written."""
        path = self._folder / f"{self._name(fit)}.npz"
        if path not in self._sound or not path.exists():  # somebody may have deleted it meanwhile
            if path.exists():
                _refuse_unsound(path)
            else:
                self._write(path, *self._rows(fit))
            self._sound.add(path)
        return path

    def prepare(self, class_names: Sequence[str]) -> str:
        """Write the split of the first fit, and read the labels, so that the data may be gone when later fits begin.

        Gives what is to be said of a class with fewer rows than there are folds, or "".
        Raises DataRefused when the rows cannot be divided as [data] wants it.
        """
        rows = self._strata(class_names)
        if mistake := hindrance(self._data, rows):
            message = f"{mistake.what}\n  {mistake.mend}"
            raise DataRefused(message)
        self.file(Fit(0, 0))
        return rarity(self._data, rows)

    def _strata(self, class_names: Sequence[str]) -> Strata:
        import numpy as np

        present, counts = np.unique(self._known_labels, return_counts=True)
        least = int(counts.argmin())
        fewest, most, smallest = int(counts[least]), int(counts.max()), class_names[present[least]]
        return Strata(len(self._known_labels), len(present), smallest, fewest, most)

    @cached_property
    def _known_labels(self) -> "Rows":
        import numpy as np

        labels: Rows = np.load(self._labels)
        return labels

    def _name(self, fit: Fit) -> str:
        if fit.kind == "whole":
            return "whole"
        if self._data.folds is None:
            return "holdout"
        return f"{fit.kind}-r{fit.repeat}-f{fit.fold}"

    def _rows(self, fit: Fit) -> tuple["Rows", "Rows"]:
        import numpy as np

        labels = self._known_labels
        everything = np.arange(len(labels))
        if fit.kind == "whole":
            return everything, everything[:0]
        if self._data.folds is None:
            return self._holdout(everything, labels)
        return self._fold(fit, everything, labels)

    def _holdout(self, everything: "Rows", labels: "Rows") -> tuple["Rows", "Rows"]:
        from sklearn.model_selection import train_test_split

        train, validation = train_test_split(
            everything, test_size=self._data.holdout, stratify=labels, random_state=derive(self._seed, "holdout")
        )
        return train, validation

    def _fold(self, fit: Fit, everything: "Rows", labels: "Rows") -> tuple["Rows", "Rows"]:
        from sklearn.model_selection import StratifiedKFold

        seed = derive(self._seed, "folds", fit.kind, fit.repeat)
        folds = StratifiedKFold(self._data.folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # `prepare` has said so
            train, validation = list(folds.split(everything, labels))[fit.fold]
        return train, validation

    def _write(self, path: Path, train: "Rows", validation: "Rows") -> None:
        import numpy as np

        make(self._folder)

        def fill(temporary: Path) -> None:
            np.savez(temporary, train=np.sort(train), validation=np.sort(validation))

        write(path, fill)


def _refuse_unsound(path: Path) -> None:
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            sound = all(arrays[name].dtype == np.int64 for name in ("train", "validation"))  # a zip checks what is read
    except Exception:  # noqa: BLE001 - a damaged zip file raises almost anything
        sound = False
    if not sound:
        message = f"{path}: this split is damaged\n  delete the file, and the same rows are chosen again from the seed"
        raise StateDamaged(message)
