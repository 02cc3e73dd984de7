"""Exports Keras's own format: one `.keras` file, which is read without running code of it."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.files import write

if TYPE_CHECKING:
    from hpsearch.protocols import Images, Reader

USAGE = """\
import keras

model = keras.saving.load_model("model.keras", compile=False)
probabilities = model.predict(images, verbose=0)
"""


class KerasFile:
    """A `.keras` file: configuration and weights, for Keras 3."""

    artefact = "model.keras"
    needs: tuple[str, ...] = ()
    tolerance = 1e-4
    holds_code = False
    usage = USAGE

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:  # noqa: ARG002  # the socket's
        """Copy the model file to `folder`/model.keras."""
        write(folder / self.artefact, partial(shutil.copyfile, model))
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Read it by Keras in its safe mode."""
        import numpy as np
        import tensorflow as tf

        from hpsearch.worker.model_reading import read_model

        model = read_model(folder / self.artefact)
        graph = tf.function(lambda images: model(images, training=False), autograph=False, reduce_retracing=True)
        return lambda images: np.asarray(graph(tf.constant(images)))
