"""Exports Keras's own format: one `.keras` file."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hpsearch.paths import make, write


class KerasFile:
    """The `.keras` file as training left it: it takes float32 images scaled to 0 … 1."""

    def write(self, model: Path, folder: Path) -> Sequence[Path]:
        """Copy the model file to `folder`/model.keras."""
        copy = make(folder) / "model.keras"

        def fill(temporary: Path) -> None:
            shutil.copyfile(model, temporary)

        write(copy, fill)
        return [copy]
