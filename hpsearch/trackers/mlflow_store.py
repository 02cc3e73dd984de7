"""Finds MLflow's store, and makes a project's own database ready for the many that will use it."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

import filelock

from hpsearch import paths

SQLITE = "sqlite:///"
LOCK_SECONDS = 120.0
# WAL keeps its index in shared memory, which file systems of a network do not have (sqlite.org/wal.html).
REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gluster", "beegfs", "fuse.sshfs")
# Set unless the person did: MLflow would wait 120 s a call, and try it 7 times.
SURROUNDINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
}


def prepare_store(project: paths.Project, uri: str | None = None, experiment: str = "") -> str:
    """Give MLflow's address, made absolute; a SQLite file is created or migrated and has its experiment afterwards.

    Only one process of the project does that at a time. Raises filelock.Timeout after two minutes of waiting.
    """
    address = resolve(project, uri)
    if file := database(address):
        paths.make(project.runs)
        with filelock.FileLock(project.lock, timeout=LOCK_SECONDS, mode=0o600):
            _prepare_file(file)
            own = client(_migrated(address))
            experiment_id(own, experiment or project_name(project), project.artifacts.absolute().as_uri())
    return address


def resolve(project: paths.Project, uri: str | None = None) -> str:
    """The address that is given, or MLFLOW_TRACKING_URI, or the project's own database; SQLite files with whole paths."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{project.mlflow}"
    if not (file := database(chosen)):
        return chosen
    _, mark, query = chosen.partition("?")
    return f"{SQLITE}{(project.root.absolute() / file).as_posix()}{mark}{query}"


def database(uri: str) -> Path | None:
    """The file of a SQLite address; None for other addresses and for a database in memory."""
    name = uri.removeprefix(SQLITE).partition("?")[0]
    return Path(name) if uri.startswith(SQLITE) and name not in {"", ":memory:"} else None


def project_name(project: paths.Project) -> str:
    """The name of MLflow's experiment unless [tracking] gives one."""
    return project.root.resolve().name or "hpsearch"


def client(uri: str) -> Any:
    """MLflow's client for an address; the first import of MLflow takes about a second."""
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what goes wrong is raised; the terminal is the board's
    logging.getLogger("alembic").setLevel(logging.CRITICAL)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # MLflow's import sets its own
    return MlflowClient(tracking_uri=uri)


def experiment_id(own: Any, name: str, artifacts: str | None = None) -> str:
    """The id of MLflow's experiment of this name, made or taken back from its bin where needed."""
    found = own.get_experiment_by_name(name)
    if found is None:
        return str(own.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        own.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _prepare_file(file: Path) -> None:
    paths.make(file.parent)
    if not file.exists():
        file.touch(mode=0o600)
    if not _remote(file):
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _migrated(address: str) -> str:
    """Bring an older MLflow's tables up to date; MLflow itself makes those of an empty file."""
    client(address.partition("?")[0])  # sets the environment and imports MLflow
    return address


def _remote(file: Path) -> bool:
    import psutil

    mounts = [part for part in psutil.disk_partitions(all=True) if file.resolve().is_relative_to(part.mountpoint)]
    nearest = max(mounts, key=lambda part: len(part.mountpoint), default=None)
    return nearest is not None and nearest.fstype.startswith(REMOTE)
