"""Exports an MLflow model: a folder for `mlflow.pyfunc.load_model`, `mlflow models serve` and registries."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.provenance import pinned

if TYPE_CHECKING:
    from hpsearch.protocols import Images, Reader

PACKAGES = ("mlflow", "tensorflow", "tensorflow-cpu", "numpy")
USAGE = """\
import mlflow

model = mlflow.pyfunc.load_model("mlflow")
probabilities = model.predict(images)
"""


class MLflowFolder:
    """An MLflow model with its signature; inside is a SavedModel, so that layers of the project's own go along."""

    artefact = "mlflow"
    needs: tuple[str, ...] = ("mlflow",)
    tolerance = 1e-4
    holds_code = True
    usage = USAGE

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:
        """Write `folder`/mlflow/, with what it needs to run pinned."""
        from hpsearch.worker.model_reading import read_model

        mlflow = _mlflow()
        module, signature = _module(read_model(model), samples.shape[1:])
        mlflow.tensorflow.save_model(
            module, folder / self.artefact, signature=signature, pip_requirements=pinned(PACKAGES)
        )
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Load it as MLflow's pyfunc."""
        import numpy as np

        model = _mlflow().pyfunc.load_model(str(folder / self.artefact))
        return lambda images: np.asarray(model.predict(images))


def _mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    return mlflow


def _module(model: Any, sizes: Sequence[int]) -> tuple[Any, Any]:
    """The model as a TensorFlow module, and what MLflow is to know of its input and output."""
    import numpy as np
    import tensorflow as tf
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    class RawImages(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec([None, *sizes], tf.uint8, "images")], autograph=False)  # type: ignore[untyped-decorator]
        def __call__(self, images: Any) -> Any:
            return self.model(images, training=False)

    images = TensorSpec(np.dtype("uint8"), (-1, *sizes))  # without a name, else MLflow would want to be given a dict
    answers = TensorSpec(np.dtype("float32"), (-1, model.output_shape[-1]))
    return RawImages(), ModelSignature(Schema([images]), Schema([answers]))
