"""Finds MLflow's store, and makes a project's own database ready for the many that will use it."""

import contextlib
import logging
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import filelock

from hpsearch import file_systems, files, paths
from hpsearch.errors import ExperimentRefused

SQLITE = "sqlite:///"
BESIDE = ("-wal", "-shm", "-journal")  # how the names of SQLite's own files end that lie beside a database
LOCK_SECONDS = 120.0
# Set unless the person did: MLflow would wait 120 s a call, try it 7 times, and in between for as long as the server
# says (Retry-After). Who calls it here tries again by itself.
SURROUNDINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
}


@dataclass(frozen=True)
class Place:
    """Where the study's runs are: MLflow's address and experiment, the study's own id and its folder of fits.

    From the `ledger`, where there is one, the study's run is told in the end what pruning spared. The `report`, once it
    is there, is kept among that run's files. Under the project's `root` is the code of the winner's own layers.
    """

    uri: str
    experiment: str
    study_id: str
    fits: Path
    ledger: Path | None = None
    report: Path | None = None
    root: Path | None = None


def prepare_store(project: paths.Project, uri: str | None = None, experiment: str = "") -> str:
    """Give MLflow's address, made absolute; a SQLite file is made ready, with its experiment in it.

    Only one process of the project does that at a time. Raises filelock.Timeout after two minutes of waiting, and what
    `refuse_unnameable` raises.
    """
    address = resolve(project, uri)
    if file := database(address):
        refuse_unnameable(project, file)
        files.make(project.runs)
        with filelock.FileLock(project.lock, timeout=LOCK_SECONDS, mode=0o600):
            _prepare_file(file)
            _migrate(address)
            experiment_id(client(address), experiment or project_name(project), project.artifacts.absolute().as_uri())
    return address


def resolve(project: paths.Project, uri: str | None = None) -> str:
    """The address given, or MLFLOW_TRACKING_URI, or the project's own database; SQLite files with whole paths."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI")
    file = database(chosen) if chosen else project.mlflow
    if chosen and not file:
        return chosen
    _, mark, query = (chosen or "").partition("?")
    return f"{SQLITE}{paths.in_address(project.root.absolute() / (file or project.mlflow))}{mark}{query}"


def database(uri: str) -> Path | None:
    """The file of a SQLite address; None for other addresses and for a database in memory."""
    name = unquote(uri.removeprefix(SQLITE).partition("?")[0], errors="surrogateescape")
    return Path(name) if uri.startswith(SQLITE) and name not in {"", ":memory:"} else None


def refuse_unnameable(project: paths.Project, file: Path) -> None:
    """Raise ExperimentRefused where a path is not UTF-8: MLflow would take another for it."""
    for path in (file, project.artifacts.absolute()):
        if path != Path(os.fsencode(path).decode(errors="replace")):
            mend = "rename that folder, or set tracking.mlflow = false"
            message = f"{path}: MLflow takes no path that is not UTF-8\n  {mend}"
            raise ExperimentRefused(message)


def project_name(project: paths.Project) -> str:
    """The name of MLflow's experiment unless [tracking] gives one."""
    return project.root.resolve().name or "hpsearch"


def client(uri: str) -> Any:
    """MLflow's client for an address; the first import of MLflow takes about a second."""
    quiet()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def quiet() -> None:
    """Import MLflow with telemetry off and time limits set; its errors are raised, and the terminal is the board's."""
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401  # it sets the levels of its loggers when imported

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def experiment_id(own: Any, name: str, artifacts: str | None = None) -> str:
    """The id of MLflow's experiment of this name, made or taken back from its bin where needed."""
    found = own.get_experiment_by_name(name)
    if found is None:
        return str(own.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        own.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _prepare_file(file: Path) -> None:
    files.make(file.parent)
    if not file.exists() or not file.stat().st_size:
        for end in BESIDE:  # of one that was moved away alone: SQLite would play its log into the new one
            file.with_name(file.name + end).unlink(missing_ok=True)
        files.write(file, _lay_out)
    if not file_systems.is_shared(file_systems.kind(file)):
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _lay_out(file: Path) -> None:
    """Make MLflow's tables, in some seconds; those that a kill leaves half made are of no use to it ever after."""
    engine = _engine(f"{SQLITE}{paths.in_address(file.absolute())}")
    from mlflow.store.db import utils
    from sqlalchemy import event

    event.listen(engine, "connect", lambda own, _: own.execute("PRAGMA synchronous=OFF"))  # all is synced in the end
    try:
        utils._initialize_tables(engine)  # noqa: SLF001  # as its own client does
    finally:
        engine.dispose()


def _migrate(address: str) -> None:
    """Bring an older MLflow's tables up to date; after a kill, the next goes on with the step that was cut off."""
    engine = _engine(address)
    from mlflow.store.db import utils

    try:
        found = utils._get_schema_version(engine)  # noqa: SLF001  # `mlflow db upgrade` does the same, with words
        if found not in {None, utils._get_latest_schema_revision()}:  # noqa: SLF001  # the same
            utils._upgrade_db(engine)  # noqa: SLF001  # the same
    finally:
        engine.dispose()


def _engine(address: str) -> Any:
    """MLflow's own way to a SQLite file, but each of its migrations is one transaction.

    Python's sqlite3 begins none where tables are made or changed, unless SQLAlchemy does: see the page of its dialect,
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html.
    """
    quiet()
    from mlflow.store.db import utils
    from sqlalchemy import event

    engine = utils.create_sqlalchemy_engine(address)
    event.listen(engine, "connect", lambda own, _: setattr(own, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
