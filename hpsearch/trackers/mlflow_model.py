"""Logs a finished model to an MLflow run; it imports TensorFlow, so it is called in a fresh process."""

import hashlib
import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from hpsearch.errors import StateDamaged
from hpsearch.provenance import pinned

SHA256 = "hpsearch.sha256"
UPLOAD_SECONDS = "60"  # for which MLflow's server may write a model away before it answers
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy")


def log_model(uri: str, run_id: str, model_file: Path, trial: int, tested: str) -> str:
    """Log the `.keras` file with signature and input example, unless the run has its model; give its address.

    A run may have another, of earlier finals: the tag `hpsearch.sha256` of each model says which file it was.
    The example is one input of float32 values in 0 … 1, rising along the rows.
    Raises StateDamaged when the file cannot be read, or has not the SHA-256 `tested`.
    """
    from hpsearch.trackers.mlflow_store import client
    from hpsearch.worker.model_reading import read_model

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", UPLOAD_SECONDS)
    own = client(uri)
    if logged := _logged(own, run_id, tested):
        return logged
    found = hashlib.sha256(model_file.read_bytes()).hexdigest()
    if tested and found != tested:
        message = f"{model_file}: this is not the model that was tested"
        raise StateDamaged(message)
    import mlflow
    import numpy as np

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=own.get_run(run_id).info.experiment_id)  # else the model goes to experiment 0
    model = read_model(model_file)
    shape = (1, *model.input_shape[1:])
    example = np.linspace(0, 1, int(np.prod(shape)), dtype="float32").reshape(shape)
    signature = mlflow.models.infer_signature(example, model.predict(example, verbose=0))
    with redirect_stdout(StringIO()):  # MLflow tries the model in a thread, and Keras would draw a bar on the terminal
        info = mlflow.models.Model.log(
            artifact_path=None,  # its old name is still asked for
            name="model",
            flavor=mlflow.tensorflow,
            model=model,
            run_id=run_id,
            signature=signature,
            input_example=example,
            pip_requirements=pinned(PACKAGES),  # else MLflow loads the model in another process to find them out
            tags={"hpsearch.trial": trial, SHA256: found},
        )
    return str(info.model_uri)


def _logged(own: Any, run_id: str, tested: str) -> str:
    outputs = own.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else ():
        model = own.get_logged_model(output.model_id)
        if str(model.status) == "READY" and tested in {"", model.tags.get(SHA256, tested)}:
            return f"models:/{output.model_id}"
    return ""
