"""Says so where MLflow keeps a project's files in the place that the project was moved, or copied, from."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

from hpsearch import paths
from hpsearch.trackers.mlflow_store import database

LOCAL = "file://"


def heed(project: paths.Project, address: str, experiment: str) -> str:
    """A warning where MLflow's experiment, in the project's own database, was made while the project lay elsewhere.

    MLflow notes whole paths: it would make the old folder anew, or write into the project that this is a copy of.
    A place that a person chose for the files is another matter. "" where there is nothing to say.
    """
    if database(address) != project.mlflow.absolute() or not (there := _artifacts(project.mlflow, experiment)):
        return ""
    if there.parts[-2:] != project.artifacts.parts[-2:] or _same(there, project.artifacts):
        return ""
    return (
        f"warning: MLflow keeps the files of this project's runs in {there}, where the project was before\n"
        f"  to have them here, move {project.mlflow} away, then for each study: hpsearch sync STUDY"
    )


def _artifacts(file: Path, experiment: str) -> Path | None:
    """The folder of the experiment's files, if it is one; MLflow is not imported for it, which takes its time."""
    address = f"{file.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True, timeout=1)) as db:
        found = db.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
        if found and str(found[0]).startswith(LOCAL):
            return Path(unquote(found[0].removeprefix(LOCAL)))
    return None


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):  # neither may be there yet
        return one.samefile(other)
    return one.resolve() == other.resolve()
