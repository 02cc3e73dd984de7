"""Lays the winner out in the study's best/ folder: its model, a manifest with digests, its report."""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

from hpsearch import files
from hpsearch.class_report import report_text
from hpsearch.datasets.prepared import load
from hpsearch.errors import StateDamaged
from hpsearch.paths import MODEL
from hpsearch.polarity import polarity_of
from hpsearch.protocols import Prepared
from hpsearch.records import Verdict
from hpsearch.space import Values
from hpsearch.study import Study

MANIFEST = "manifest.json"
REPORT = "classification_report.txt"


def lay_out(study: Study, verdict: Verdict, data: Prepared) -> Path:
    """Write best/ anew from the verdict; raise StateDamaged when the judged model file is gone or another."""
    folder = files.make(study.paths.best)
    judged = study.paths.fit(verdict.model_fit).model
    tested = study.state.opened.models[verdict.model_fit] if study.state.opened else ""
    verify(judged, tested)
    files.write(folder / MODEL, partial(shutil.copyfile, judged))
    files.write_text(folder / REPORT, report_text(verdict))
    files.write_text(folder / MANIFEST, json.dumps(_manifest(study, verdict, data, tested), indent=2) + "\n")
    return folder


def _manifest(study: Study, verdict: Verdict, data: Prepared, tested: str) -> dict[str, object]:
    values, ink = study.state.courses[verdict.winner].values, polarity_of(load(data.folder, "train")[0])
    return {
        **described(study.experiment.name, verdict.winner, values, data),
        "model": {"file": MODEL, "sha256": tested},
        "input": {"shape": list(data.shape), "dtype": "float32", "range": [0.0, 1.0], "ink": ink.value},
        "test": figures(verdict),
    }


def described(study: str, trial: int, values: Values, data: Prepared) -> dict[str, object]:
    """What a manifest says of where a model is from."""
    return {
        "study": study,
        "trial": trial,
        "values": values,
        "class_names": list(data.class_names),
        "data": {"name": data.name, "sha256": data.digest, "licence": data.licence, "test_from": data.test_from},
    }


def figures(verdict: Verdict) -> dict[str, object]:
    """What a manifest says of how good the winner is: this very model, and its configuration over seeds."""
    return {
        "rows": verdict.test_rows,
        "model_accuracy": verdict.model_accuracy,
        "expected_accuracy": verdict.expected_accuracy,
        "interval": verdict.interval,
        "interval_of": verdict.interval_of,
        "trained_on_validation_rows": verdict.refit,
    }


def digest(file: Path) -> str:
    """The SHA-256 of a model file; raise StateDamaged when it is missing."""
    if not file.exists():
        message = f"{file}: the model is missing; run the study again with --fresh to make it anew"
        raise StateDamaged(message)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def verify(file: Path, tested: str) -> None:
    """Raise StateDamaged unless the file is there and has this SHA-256."""
    if digest(file) != tested:
        message = f"{file}: this is not the model that was tested (its SHA-256 differs from the ledger's)"
        raise StateDamaged(message)
