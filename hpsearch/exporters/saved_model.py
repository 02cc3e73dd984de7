"""Exports TensorFlow's SavedModel: a folder with the graph and its weights, for TensorFlow, TF Serving and TF.js."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.protocols import Images, Reader

USAGE = """\
import tensorflow as tf

model = tf.saved_model.load("saved_model")
probabilities = model.serve(tf.constant(images)).numpy()
"""


class SavedModel:
    """A SavedModel whose one endpoint is `serve`, also known as `serving_default`."""

    artefact = "saved_model"
    needs: tuple[str, ...] = ()
    tolerance = 1e-4
    holds_code = True
    usage = USAGE

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:  # noqa: ARG002  # the socket's
        """Write `folder`/saved_model/ by Keras's own export."""
        from hpsearch.worker.model_reading import read_model

        read_model(model).export(folder / self.artefact, format="tf_saved_model", verbose=False)
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Load it by TensorFlow."""
        import numpy as np
        import tensorflow as tf

        model = tf.saved_model.load(str(folder / self.artefact))
        return lambda images: np.asarray(model.serve(tf.constant(images)))
