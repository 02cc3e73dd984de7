"""What holds for all tests."""

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress

import pytest

os.environ.pop("PYTHONUNBUFFERED", None)  # what is tested writes as it does for users


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """No search for garbage in what tests before have imported and left: Keras searches after each build.

    A forkserver's children have it so, too.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def heeding():
    """As begun from a terminal: a job in a shell's background has SIGINT ignored, one under nohup SIGHUP."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def one_thread():
    """TensorFlow with one thread, as a worker has it, unless an earlier test has used it in this process."""
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where prepared data go: a folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HPSEARCH_DATA", str(folder))
    return folder


@pytest.fixture
def mounted(tmp_path):
    """Mounts small disks under the test's folder."""
    made = []

    def mounted(options):
        disk = tmp_path / f"disk-{len(made)}"
        disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=False, capture_output=True)
        if done.returncode:
            pytest.skip("only a machine's administrator can mount a small disk")
        made.append(disk)
        return disk

    yield mounted
    for disk in made:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """MLflow's database before the first run, as bytes: to make one, MLflow takes its time."""
    from hpsearch import paths
    from hpsearch.trackers.mlflow_store import prepare_store

    project = paths.Project(tmp_path_factory.mktemp("store"))
    prepare_store(project)
    with closing(sqlite3.connect(project.mlflow)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return project.mlflow.read_bytes()


@pytest.fixture(scope="session")
def digits_project(tmp_path_factory):
    """A project with the finished study "digits", and beside it the cache with its data; see readers.py."""
    from readers import make_study  # for these tests only

    folder = tmp_path_factory.mktemp("reading")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(folder / "cache"))
        return make_study(folder)


@pytest.fixture(scope="module")
def home(digits_project):
    """That project, with its cache in use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(digits_project.root / "cache"))
        yield digits_project


@pytest.fixture(scope="session")
def exported(digits_project, tmp_path_factory):
    """Exported folders with its winner, by what they hold."""
    from readers import make_exports

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(digits_project.root / "cache"))
        return make_exports(digits_project, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A project with digits, a search space and an experiment; see commands.py."""
    from commands import lay_out

    return lay_out(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(template, tmp_path):
    """A copy of that project for each test."""
    for name in ("images", "spaces", "experiments"):
        shutil.copytree(template / name, tmp_path / name)
    return tmp_path
