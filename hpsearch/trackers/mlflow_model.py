"""Logs a finished model to an MLflow run; it imports TensorFlow, so it is called in a fresh process."""

import hashlib
import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from hpsearch.errors import StateDamaged
from hpsearch.provenance import pinned

SHA256 = "hpsearch.sha256"
UPLOAD_SECONDS = "60"  # for which MLflow's server may write a model away before it answers
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy")


@dataclass(frozen=True)
class Winner:
    """A finished model: its `.keras` file, its trial, and the SHA-256 under which it was tested, "" if not known.

    It was trained on images of `shape` (height, width), empty if not known. Its layers may be the project's own: they
    are known once the module that `build` names is imported from under `root`.
    """

    file: Path
    trial: int
    tested: str = ""
    shape: tuple[int, ...] = ()
    root: Path | None = None
    build: str = ""


def import_all() -> None:
    """Import what `log_model` needs, which takes it most of its time."""
    import mlflow.models
    import mlflow.tensorflow  # noqa: F401

    from hpsearch.trackers.mlflow_store import client  # noqa: F401


def log_model(uri: str, run_id: str, winner: Winner) -> str:
    """Log the model with signature and input example, unless the run has it; give its address.

    A run may have another, of earlier finals: the tag `hpsearch.sha256` of each model says which file it was.
    The example is one input of float32 values in 0 … 1, rising along the rows.
    One with layers of the project's own is logged as a graph, so that it can be loaded where nobody knows them.
    Raises StateDamaged when the file cannot be read, or is not the one that was tested.
    """
    from hpsearch.trackers.mlflow_store import client

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", UPLOAD_SECONDS)
    own = client(uri)
    if logged := _logged(own, run_id, winner.tested):
        return logged
    found = _digest(winner.file)
    if winner.tested and found != winner.tested:
        message = f"{winner.file}: this is not the model that was tested"
        raise StateDamaged(message)
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=own.get_run(run_id).info.experiment_id)  # else the model goes to experiment 0
    model, example, answer = _tried(winner)
    with redirect_stdout(StringIO()):  # MLflow tries the model in a thread, and Keras would draw a bar on the terminal
        info = mlflow.models.Model.log(
            artifact_path=None,  # its old name is still asked for
            name="model",
            flavor=mlflow.tensorflow,
            model=model,
            run_id=run_id,
            signature=mlflow.models.infer_signature(example, answer),
            input_example=example,
            pip_requirements=pinned(PACKAGES),  # else MLflow loads the model in another process to find them out
            tags={"hpsearch.trial": winner.trial, SHA256: found},
        )
    return str(info.model_uri)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        message = f"{file}: the model cannot be read ({error.strerror})"
        raise StateDamaged(message) from error


def _tried(winner: Winner) -> tuple[Any, Any, Any]:
    """What MLflow is to keep of the model, an example of its input, and what it gives for that."""
    import numpy as np

    from hpsearch.worker.graph import graph
    from hpsearch.worker.rows import image_shape

    model, own_code = _read(winner)
    sizes = image_shape(winner.shape, model) if winner.shape else model.input_shape[1:]
    example = np.linspace(0, 1, int(np.prod(sizes)), dtype="float32").reshape(1, *sizes)
    return graph(model, sizes, "float32") if own_code else model, example, model.predict(example, verbose=0)


def _read(winner: Winner) -> tuple[Any, bool]:
    """The model, and whether that took the project's code."""
    from hpsearch.worker.finding import find_build
    from hpsearch.worker.model_reading import read_model

    try:
        return read_model(winner.file), False
    except StateDamaged:
        if winner.root is None:
            raise
    find_build(winner.root, winner.build)
    return read_model(winner.file), True


def _logged(own: Any, run_id: str, tested: str) -> str:
    outputs = own.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else ():
        model = own.get_logged_model(output.model_id)
        if str(model.status) == "READY" and tested in {"", model.tags.get(SHA256, tested)}:
            return f"models:/{output.model_id}"
    return ""
