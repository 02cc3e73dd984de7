"""What a newcomer mistypes: one clear text, the right exit code, nothing left behind."""

import errno
import os
import pty
import socket
import sqlite3
import subprocess
import sys
import termios
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from data_makers import write_idx, write_pair
from filelock import FileLock
from kept_studies import asked_bodies, keep
from sqlalchemy import create_engine

from hpsearch import files
from hpsearch.__main__ import main
from hpsearch.cli.ui import _in_words
from hpsearch.errors import FolderUnusable
from hpsearch.paths import Project
from hpsearch.study import held
from hpsearch.trackers import mlflow_store
from hpsearch.trackers.mlflow_trouble import NotHeard

EXPERIMENT = """\
name = "small"
[data]
source = "mnist-5k"
[model]
build = "searchspace.mlp:build_model_mlp"
[search]
trials = 3
[train]
batch_size = 64
"""
CHECK = ("check", "experiments/small.toml")
GET = ("data", "get")
NO_SEARCH = "def build_model_mlp(hp):\n    return None\n"

Words = tuple[str, ...]
SLIPS: list[tuple[Words, int, str]] = [
    # names of parts: other letters, a part of the name, a name that two have
    ((*CHECK, "--set", "search.tuner=TPE"), 2, "--set search.tuner: there is no tuner 'TPE'|mean 'optuna.tpe'?"),
    ((*CHECK, "--set", "search.tuner=random"), 2, "did you mean 'keras-tuner.random' or 'optuna.random'?"),
    ((*CHECK, "--set", "data.source=emnist"), 2, "there is no dataset 'emnist'|did you mean 'emnist-balanced'?"),
    ((*CHECK, "--set", "data.source=MNIST-5K"), 2, "did you mean 'mnist-5k'?"),
    ((*CHECK, "--set", "model.build=mlp:build_model_mlp"), 2, "neither a file mlp.py|did you mean 'searchspace.mlp'?"),
    ((*CHECK, "--set", "model.build=searchspace.mlp:mlp"), 2, "mlp.py defines no 'mlp'|mean 'searchspace.mlp:build"),
    # --set
    ((*CHECK, "--set", "serach.trials=3"), 2, "--set serach.trials: there is no table [serach]|did you mean 'search'?"),
    ((*CHECK, "--set", "folders.of=mine"), 2, "no table [folders]|known: data, model, space, search"),
    ((*CHECK, "--set", "optimizer.name=adam"), 2, "no table [optimizer]|build_model says it"),
    ((*CHECK, "--set", "trials=3"), 2, "--set trials: the file's top has no key 'trials'|it belongs in [search]"),
    ((*CHECK, "--set", "=3"), 2, "--set =3: this is not KEY=VALUE|such as search.trials=20"),
    ((*CHECK, "--set", "train.batch_size=32,64"), 2, "is '32,64', but must be|batch_size = [32, 64]"),
    ((*CHECK, "--set", "search.time=30"), 2, 'search.time is 30, but must be text in quotes|such as time = "30m"'),
    ((*CHECK, "--set", "search.pruner=false"), 2, 'must be text in quotes|"none" stops no trial'),
    ((*CHECK, "--set", "search.pruner_options.warmup=2"), 2, "the pruner none takes no option 'warmup'|none at all"),
    ((*CHECK, "--set", "search.objective=val_accuracy"), 2, "--set search.objective: an objective reads 'max METRIC'"),
    ((*CHECK, "--set", "search.objective=max accuracy_val"), 2, "did you mean 'val_accuracy'?"),
    ((*CHECK, "--set", "data.validation=20"), 2, "must be less than 1|such as validation = 0.2"),
    ((*CHECK, "--set", "data.source=idx"), 2, "the source 'idx' needs the key 'folder'|add folder"),
    ((*CHECK, "--set", "data.source=csv"), 2, "the source 'csv' needs the key 'file'|add file"),
    ((*CHECK, "--set", "data.source=table"), 2, "there is no dataset 'table'|known: csv, emnist-balanced, folder"),
    (
        (*CHECK, "--set", "data.source=csv", "--set", "data.file=a.csv", "--set", "data.folder=images"), 2,
        "--set data.folder: the source 'csv' takes no 'folder'|takes: file, test, size, transposed, invert, allow",
    ),
    (
        (*CHECK, "--set", "data.source=npz", "--set", "data.file=a.npz", "--set", "data.train=x_train"), 2,
        "npz: train names two arrays, images and labels, such as 'x_train, y_train', not 'x_train'",
    ),
    ((*CHECK, "--set", "data.size=28"), 2, "data.size is 28, but must be a height and a width|such as size = [28, 28]"),
    ((*CHECK, "--set", "data.size=[28]"), 2, "data.size is [28], but must be a height and a width"),
    ((*CHECK, "--set", "data.size=[28, 28]"), 2, "the source 'mnist-5k' takes no 'size'"),
    ((*CHECK, "--set", "tracking.mlflow=off"), 2, "false for no MLflow"),
    ((*CHECK, "--set"), 2, "Option '--set' requires an argument"),
    # the file
    (("check", "small"), 2, "small: there is no such file|did you mean 'experiments/small.toml'?"),
    (("check", "elsewhere/smal.toml"), 2, "there is no such file|did you mean 'experiments/small.toml'?"),
    (("check", "nothing-like-it.toml"), 2, "there is no such file|known: experiments/small.toml"),
    (("run", "experiments"), 2, "experiments: this is not a file|name an experiment file"),
    (("run", "images/train-labels-idx1-ubyte"), 2, "line 1: |this is not TOML"),
    (("run", "experiments/small.toml", "--set", "search.trials=0"), 2, "search.trials is 0, but must be at least 1"),
    (("run", "experiments/small.toml", "--name", "", "--fresh"), 2, "--set name|is ''"),
    (("run",), 2, "Missing argument 'FILE'"),
    # data
    (("data", "lst"), 2, "No such command 'lst'|Did you mean 'list'?"),
    ((*GET, "minst"), 2, "hpsearch data get: there is no dataset 'minst'|did you mean 'mnist'?"),
    (("data", "check", "mnits"), 2, "hpsearch data check: there is no dataset 'mnits'|did you mean 'mnist'?"),
    ((*GET, "mnist", "--folder", "images"), 2, "hpsearch data get: mnist takes no --folder|known: --mirror"),
    ((*GET, "idx"), 2, "hpsearch data get: idx needs --folder"),
    ((*GET, "idx", "--folder", "images", "--test", "1.5"), 2, "between 0 and 1, not 1.5"),
    (("data", "check", "idx"), 9, "idx is not prepared yet|hpsearch data get idx --folder FOLDER"),
    ((*GET, "idx", "--folder", "nosuch"), 9, "nosuch: there is no such folder"),
    ((*GET, "idx", "--folder", "experiments"), 9, "there is no idx file of images at all|put the files there"),
    ((*GET, "idx", "--folder", "images", "--test", "tset"), 9, "begins with 'tset'|there is only train, which trains"),
    ((*GET, "idx", "--folder", "swapped"), 9, "train-images-idx3-ubyte: not an idx file|images are idx3, labels idx1"),
    ((*GET, "mnist", "--mirror", "images"), 9, "train-images-idx3-ubyte.gz|put by hand into|md5 f68b3c2dcbe"),
    ((*GET, "idx", "--folder", "experiments/small.toml"), 9, "small.toml: is no folder"),
    ((*GET, "folder", "--folder", "experiments/small.toml"), 9, "small.toml: is no folder"),
    ((*GET, "npz", "--file", "images"), 9, "images: is a folder, and no file"),
    ((*GET, "csv"), 2, "hpsearch data get: csv needs --file"),
    ((*GET, "csv", "--file", "nosuch.csv"), 9, "nosuch.csv: there is no such file"),
    ((*GET, "csv", "--file", "experiments"), 9, "experiments: is a folder, and no file"),
    ((*GET, "csv", "--file", "experiments/small.toml"), 9, "small.toml, line 1: a single column, 'name = \"small\"'"),
    ((*GET, "npz", "--file", "experiments/small.toml"), 9, "small.toml: damaged, or no NumPy archive"),
    ((*GET, "npz", "--file", "a.npz", "--size", "28"), 2, "Option '--size' requires 2 arguments"),
    ((*GET, "npz", "--folder", "images"), 2, "npz takes no --folder|npz needs --file"),
    (("compare", "a", "b", "--picture", "nosuch/m.png"), 2, "nosuch/m.png: nothing can be written there"),
    ((*GET, "folder", "--folder", "nosuch"), 9, "nosuch: there is no such folder"),
    ((*GET, "folder", "--folder", "images"), 9, "images: holds no folders|a folder for each class"),
    ((*GET, "folder", "--folder", "."), 9, "experiments/small.toml: no picture (known: .bmp .jfif .jpeg"),
    ((*GET, "folder", "--folder", "~nosuchuser/pictures"), 9, "~nosuchuser/pictures: there is no such folder"),
    ((*GET, "csv", "--file", "~nosuchuser/a.csv"), 9, "~nosuchuser/a.csv: there is no such file"),
    ((*GET, "npz", "--file", "~nosuchuser/a.npz"), 9, "~nosuchuser/a.npz: there is no such file"),
    ((*GET, "idx", "--folder", "~nosuchuser/images"), 9, "~nosuchuser/images: there is no such folder"),
    ((*GET, "mnist", "--mirror", "~nosuchuser"), 9, "~nosuchuser/train-images-idx3-ubyte.gz"),
    # studies
    (("show", "smal"), 2, "there is no study 'smal'|none yet"),
    (("best", "smal"), 2, "there is no study 'smal'"),
    (("export", "small", "--out", "out", "--format", "kreas"), 2, "no format 'kreas'|did you mean 'keras'?"),
    (("export", "small", "--out", "experiments/small.toml"), 2, "'experiments/small.toml' is a file"),
    (("export", "small"), 2, "Missing option '--out'"),
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("experiments", "searchspace", "swapped"):
        (tmp_path / folder).mkdir()
    (tmp_path / "experiments" / "small.toml").write_text(EXPERIMENT)
    (tmp_path / "searchspace" / "mlp.py").write_text(NO_SEARCH)
    images, labels = np.zeros((8, 4, 4), np.uint8), np.arange(8, dtype=np.uint8) % 2
    write_pair(tmp_path / "images", "train", images, labels, suffix="")
    write_idx(tmp_path / "swapped" / "train-images-idx3-ubyte", labels)
    write_idx(tmp_path / "swapped" / "train-labels-idx1-ubyte", images)
    return tmp_path


@pytest.fixture
def here(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> pytest.CaptureFixture[str]:
    """The program in this process, in the project's folder: a new one for each slip would take a minute in all."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("HPSEARCH_DATA", str(project / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    return capfd


def hpsearch(project: Path, *words: str, **streams: int) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "HPSEARCH_DATA": str(project / "cache"), "NO_COLOR": "1"}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=project, env=surroundings, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL, **given,
    )  # fmt: skip


@pytest.mark.parametrize(("words", "code", "texts"), SLIPS, ids=[" ".join(words) for words, _, _ in SLIPS])
def test_a_slip_is_answered_with_its_mend_and_exit_code_and_leaves_nothing(
    project: Path, here: pytest.CaptureFixture[str], words: Words, code: int, texts: str
) -> None:
    before = (project / "experiments" / "small.toml").read_bytes()

    ended = main(list(words))

    said = here.readouterr()
    assert (ended, said.out) == (code, "")
    for text in texts.split("|"):
        assert text in said.err
    assert "Traceback" not in said.err
    assert "Warning" not in said.err
    assert not (project / "mlruns").exists()
    assert not (project / "out").exists()
    assert (project / "experiments" / "small.toml").read_bytes() == before


@pytest.mark.parametrize(
    "words", ["run TEXT", "check TEXT", "predict small TEXT", "predict TEXT -", "serve --port 0 TEXT"]
)
@pytest.mark.parametrize("text", [f"{2 * EXPERIMENT}# and/or", "a" * 300], ids=["an experiment", "a word"])
def test_a_text_too_long_for_a_name_is_a_slip_too(
    project: Path, here: pytest.CaptureFixture[str], words: str, text: str
) -> None:
    keep(project, asked_bodies(), "small")

    ended = main([text if word == "TEXT" else word for word in words.split()])

    said = here.readouterr()
    assert (ended, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_a_study_that_runs_already_is_left_to_its_process(project: Path) -> None:
    with held(Project(project).study("small")):
        done = hpsearch(project, "run", "experiments/small.toml")

    assert done.returncode == 5
    assert f"process {os.getpid()} on {socket.gethostname()}" in done.stderr
    assert "--name" in done.stderr


def test_a_place_for_runs_that_is_a_file_is_refused_by_name(project: Path) -> None:
    (project / "mlruns").write_text("mine")

    done = hpsearch(project, "run", "experiments/small.toml")

    assert done.returncode == 7
    assert f"{project / 'mlruns'}" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "mlruns").read_text() == "mine"


def test_a_cache_that_cannot_be_made_is_refused_with_the_way_to_another(project: Path) -> None:
    (project / "cache").write_text("mine")

    done = hpsearch(project, "data", "get", "mnist-5k")

    assert done.returncode == 7
    assert "HPSEARCH_DATA names another folder" in done.stderr


def test_a_port_in_use_is_named(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        done = hpsearch(project, "ui", "--no-browser", "--port", str(port))

    assert done.returncode == 8
    assert f"port {port} cannot be used" in done.stderr


def test_runs_on_a_server_that_has_the_very_port_are_told_to_be_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")

        code = main(["ui", "--no-browser", "--port", str(port), "--project", str(project)])

    assert code == 0
    assert capsys.readouterr().out == f"the runs are kept elsewhere: http://127.0.0.1:{port}\n"


@pytest.mark.parametrize("newer", [False, True], ids=["damaged", "of a newer MLflow"])
def test_a_database_that_mlflow_cannot_open_is_told_with_its_place(
    project: Path, capsys: pytest.CaptureFixture[str], *, newer: bool
) -> None:
    cause = "a newer MLflow made it; update MLflow, or " if newer else "it is damaged; "
    files.make(project / "mlruns")
    database = project / "mlruns" / "mlflow.db"
    if newer:
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("CREATE TABLE alembic_version AS SELECT 'ffffffff' AS version_num")
    else:
        database.write_text("this is no database")

    code = main(["ui", "--no-browser", "--port", "0", "--project", str(project)])

    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith("MLflow: ")
    assert f"the runs are kept in {database}\n  {cause}" in said
    assert "move it away: hpsearch sync" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("change", ["CREATE TABLE runs (id)", "CREATE INDEX i ON t (x)", "ALTER TABLE t ADD COLUMN y"])
def test_a_database_whose_making_was_cut_off_is_told_as_such(tmp_path: Path, change: str) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
        connection.exec_driver_sql(change)

        with (
            pytest.raises(NotHeard, match="killed while it made or upgraded its tables; move it away"),
            _in_words(address),
        ):
            connection.exec_driver_sql(change)


def test_a_sound_database_is_not_to_be_moved_away_when_it_cannot_be_opened(project: Path) -> None:
    database = files.make(project / "mlruns" / "mlflow.db")  # which SQLite cannot open, as without the right to

    done = hpsearch(project, "ui", "--no-browser", "--port", "0")

    assert done.returncode == 1
    assert done.stderr.endswith(f"unable to open database file\n  the runs are kept in {database}\n")


def test_a_project_whose_database_another_process_makes_ready_is_to_be_waited_for(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mlflow_store, "LOCK_SECONDS", 0.0)
    files.make(project / "mlruns")
    with FileLock(Project(project).lock):
        code = main(["ui", "--no-browser", "--port", "0", "--project", str(project)])

    assert code == 1
    assert "another process makes MLflow's database ready\n  wait for it" in capsys.readouterr().err


def test_a_full_disk_under_mlflows_database_is_not_taken_for_mlflows_trouble() -> None:
    with pytest.raises(OSError, match="No space left"), _in_words("sqlite:////x/mlflow.db"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_that_sqlite_tells_of_is_called_one(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as full:
        full.execute("CREATE TABLE one (words TEXT)")
        full.execute("PRAGMA max_page_count = 2")

        with pytest.raises(FolderUnusable, match="disk full"), _in_words(f"sqlite:///{database}"):
            full.execute("INSERT INTO one VALUES (?)", ["word" * 10_000])


def test_another_trouble_of_the_machine_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotHeard, match="Input/output error"), _in_words(f"sqlite:///{tmp_path}/mlflow.db"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("words", ["list", "show x", "run x.toml", "check x.toml", "ui --port 0"])
def test_in_a_folder_that_was_deleted_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    folder = files.make(tmp_path / "gone")
    monkeypatch.chdir(folder)
    folder.rmdir()

    code = main(words.split())

    said = 'the folder that you are in was deleted\n  go to one that is there; where it was made again: cd "$PWD"\n'
    assert (code, capsys.readouterr().err) == (7, said)


def test_a_full_disk_behind_the_output_is_said_in_one_line(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = hpsearch(project, "data", "list", stdout=full.fileno())

    assert done.returncode == 7
    assert done.stderr == "a file, or the output: cannot be written or read (No space left on device)\n"


def test_a_full_disk_behind_all_that_is_written_is_told_by_the_exit_code(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = hpsearch(project, "data", "list", stdout=full.fileno(), stderr=full.fileno())

    assert done.returncode == 7


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EIO, "Input/output error", "mlruns/x"),
            "mlruns/x: cannot be written or read (Input/output error)",
        ),
        (OSError(errno.EIO, "bad"), "a file, or the output: cannot be written or read (bad)"),
        (OSError(errno.EMFILE, "Too many"), "Too many\n  raise the number of files that may be open: ulimit -n"),
        (OSError(errno.ENETDOWN, "Network is down"), "Network is down\n  see to the network"),
        (
            OSError(errno.ENOLCK, "No locks available"),
            "No locks available\n  keep the project, and what HPSEARCH_DATA names, on a file system that knows locks",
        ),
        (
            RuntimeError("can't start new thread"),
            "new thread\n  end other programs, or raise the limits of this one: ulimit -a",
        ),
    ],
)
def test_what_the_machine_refuses_is_no_mistake_of_ours(project, capfd, monkeypatch, error, words):
    def refused(_project):
        raise error

    monkeypatch.chdir(project)
    monkeypatch.setattr(Project, "studies", refused)

    assert main(["list"]) == 7

    assert capfd.readouterr().err.strip().endswith(words)


@pytest.mark.parametrize("words", ["data list", "list", "schema"])
def test_an_output_that_the_shell_closed_is_no_mistake(project: Path, words: str) -> None:
    command = f"{sys.executable} -m hpsearch {words} >&-"

    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_signs_that_the_terminals_encoding_lacks_keep_nothing_from_being_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(project, asked_bodies(), "done")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    ours, theirs = pty.openpty()

    shown = hpsearch(project, "show", "done", stdout=theirs)
    piped = hpsearch(project, "show", "done")

    said = os.read(ours, 100_000).decode("latin-1")
    os.close(theirs)
    os.close(ours)
    assert [(done.returncode, done.stderr) for done in (shown, piped)] == [(0, ""), (0, "")]
    assert "? finalist 0: " in said  # a star
    assert "\\u2605 finalist 0: " in piped.stdout
    assert "winner: trial 0" in piped.stdout


def test_a_table_too_wide_for_the_terminal_is_written_row_by_row(project: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))

    done = hpsearch(project, "data", "list", stdout=theirs)

    said = os.read(ours, 100_000).decode().splitlines()
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, said[0]) == (0, "csv")
    assert "  classes   47" in said


def test_the_bar_of_what_is_prepared_counts_in_percent_not_in_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))

    done = hpsearch(project, "data", "get", "mnist-5k", stderr=theirs)

    said = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    assert "0%" in said
    assert "byte" not in said
    assert "kB" not in said
