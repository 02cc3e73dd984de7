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
        from hpsearch.worker.graph import graph
        from hpsearch.worker.model_reading import read_model

        mlflow, raw, sizes = _mlflow(), read_model(model), samples.shape[1:]
        mlflow.tensorflow.save_model(
            graph(raw, sizes, "uint8"), folder / self.artefact,
            signature=_signature(raw, sizes), pip_requirements=pinned(PACKAGES),
        )  # fmt: skip
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


def _signature(model: Any, sizes: Sequence[int]) -> Any:
    """What MLflow is to know of the model's input and output."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    images = TensorSpec(np.dtype("uint8"), (-1, *sizes))  # without a name, else MLflow would want to be given a dict
    answers = TensorSpec(np.dtype("float32"), (-1, model.output_shape[-1]))
    return ModelSignature(Schema([images]), Schema([answers]))
