"""Whole runs of the real program, on the digits that come with scikit-learn."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import figures
import psutil
import pytest
from chaos import Arena
from commands import (
    BUILD,
    EXPERIMENT,
    SMALL,
    environment,
    hpsearch,
    measures,
    program,
    run,
    settings,
    told,
    trials,
    wait_for_a_trial,
)
from waiting import wait_until

from hpsearch import files, paths
from hpsearch.__main__ import main
from hpsearch.records import AttemptBegan
from hpsearch.study import held, read
from hpsearch.worker import process


@pytest.fixture(scope="module")
def over(template, tmp_path_factory):
    """A project whose study, SMALL and of two trials, is over."""
    folder = tmp_path_factory.mktemp("over") / "project"
    shutil.copytree(template, folder)
    run(folder, *SMALL, "--set", "search.trials=2")
    return folder


@pytest.fixture
def finished(over, tmp_path):
    """A copy of that project for each test."""
    return shutil.copytree(over, tmp_path / "finished")


def open_to_others(folder):
    """What of a folder its owner is not alone to read, but for what SQLite keeps beside a database, and takes away."""
    lasting = [path for path in (folder, *folder.rglob("*")) if not path.name.endswith(("-shm", "-wal"))]
    return [path.relative_to(folder) for path in lasting if path.stat().st_mode & 0o077]


def mlflow_states(project):
    with sqlite3.connect(project / "mlruns" / "mlflow.db") as db:
        return [status for (status,) in db.execute("SELECT status FROM runs")]


def logged_model(project):
    with sqlite3.connect(project / "mlruns" / "mlflow.db") as db:
        return db.execute("SELECT value FROM tags WHERE key = 'hpsearch.model'").fetchone()[0]


def test_a_run_goes_from_an_experiment_to_a_tested_exported_model(project):
    fewer = settings("search.trials=3", "final.finalists=1")
    done = program(project, "run", "experiments/digits.toml", "--json", *fewer)

    assert json.loads(done.stdout)["counts"] == {"completed": 3}
    assert len(trials(project)) == 3
    best = told(project, "best", "digits")
    assert best["model_accuracy"] > 0.85
    (listed,) = told(project, "list")
    assert listed["expected_accuracy"] == best["expected_accuracy"]
    assert best["test_rows"] == pytest.approx(0.2 * 1797, abs=15)
    assert Path(best["model"]).exists()
    assert (project / "mlruns" / "studies" / "digits" / "report.html").exists()
    assert set(mlflow_states(project)) == {"FINISHED"}
    assert logged_model(project).startswith("models:/")
    assert "Traceback" not in done.stderr
    assert open_to_others(project / "mlruns") == open_to_others(project / "cache") == []
    hpsearch(project, "export", "digits", "--out", str(project / "out"))
    exported = json.loads((project / "out" / "manifest.json").read_text())["model"]
    assert exported["sha256"] == hashlib.sha256(Path(best["model"]).read_bytes()).hexdigest()


@pytest.mark.promise("49")
def test_the_same_command_after_the_end_even_for_fewer_trials_says_it_is_complete_and_adds_nothing(finished):
    again = run(finished, *SMALL, "--set", "search.trials=1")

    assert "already complete: 2 trials" in again.stderr
    assert "the other commands" not in again.stderr
    assert len(trials(finished)) == 2


def test_a_run_that_is_given_outside_its_project_says_where_the_other_commands_are_given(finished, tmp_path):
    words = ["run", str(finished / "experiments" / "digits.toml"), *SMALL, "--set", "search.trials=2"]

    outside = hpsearch(tmp_path, *words, HPSEARCH_DATA=str(finished / "cache"))

    assert f"the other commands are given in its project: cd {finished}\n" in outside.stderr


@pytest.mark.promise("34")
def test_a_search_that_its_tuner_ends_says_so_before_the_finals_and_ever_after(project):
    space = "[space]\nlayers = 1\ndropout = 0\nlearning_rate = 0.01\nunits_0 = [8, 16]\n"
    (project / "experiments" / "digits.toml").write_text(EXPERIMENT + space)

    done = run(project, *SMALL, *settings("search.tuner=keras-tuner.grid", "search.trials=10"))

    said = "the search is over: the tuner found no further point after 2 trials"
    before, _, after = done.stderr.partition(f"{said}\n")
    assert before.count("completed") == 2
    assert after.startswith("finals: trial ")
    assert said in done.stdout
    assert said in hpsearch(project, "show", "digits").stdout
    assert told(project, "best", "digits")["test_rows"] > 0


@pytest.mark.long
@pytest.mark.promise("14", "P15")
def test_a_study_stopped_by_ctrl_c_goes_on_with_the_same_command(project):
    words = ["run", "experiments/digits.toml", "--set", "train.epochs=40", "--set", "search.trials=6"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=project, env=environment(project), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_a_trial(project, process)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    said = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert time.monotonic() - began < 20
    assert "go" in said[1]
    assert "RUNNING" not in mlflow_states(project)
    hpsearch(project, *words)
    assert sorted(trial["number"] for trial in trials(project)) == [0, 1, 2, 3, 4, 5]
    assert set(mlflow_states(project)) == {"FINISHED"}


def story(project):
    return list(read(paths.Project(project), "killed"))


@pytest.mark.long
@pytest.mark.promise("8", "P3")
def test_a_study_killed_outright_goes_on_to_where_an_undisturbed_one_ends(project):
    words = ["--set", "train.epochs=30", "--set", "workers.count=1", "--set", "final.seeds=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", "run", "experiments/digits.toml", *words, "--name", "killed"],
        cwd=project, env=environment(project), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_a_trial(project, process, "killed")

    process.kill()
    process.communicate(timeout=60)
    known, began = len(story(project)), time.time()
    run(project, *words, "--name", "killed")

    again = next(news for news in story(project)[known:] if isinstance(news.body, AttemptBegan))
    figures.note("P3", again_with_tensorflow=again.time_ms / 1000 - began)
    run(project, *words, "--name", "straight")
    assert [(t["values"], t["score"]) for t in trials(project, "killed")] == [
        (t["values"], t["score"]) for t in trials(project, "straight")
    ]
    assert set(mlflow_states(project)) == {"FINISHED"}


@pytest.mark.promise("54")
def test_a_run_whose_study_is_removed_stops_its_workers_and_says_so(tmp_path):
    arena = Arena(tmp_path / "project", trials=2, epochs=4000)
    process, study = arena.start(), arena.ledger.parent
    arena.wait_for(2)

    study.rename(tmp_path / "gone")
    code = process.wait(60)

    said = arena.output.read_text()
    assert code == 7, said
    assert f"{study / 'ledger.db'}: removed while the study was running" in said
    assert "Traceback" not in said
    assert arena.left_over() == []
    assert not study.exists()


def test_a_changed_experiment_is_refused_with_the_difference(finished):
    refused = run(finished, *SMALL, "--set", "train.epochs=7", code=6)

    assert "train.epochs: 2 -> 7" in refused.stderr
    assert "--fresh" in refused.stderr


def test_changed_code_is_refused_and_a_changed_comment_is_not(finished):
    module = finished / "spaces" / "small.py"
    module.write_text("# a comment\n" + BUILD)
    run(finished, *SMALL, "--set", "search.trials=2")
    module.write_text(BUILD.replace('"relu"', '"tanh"'))

    refused = run(finished, *SMALL, "--set", "search.trials=2", code=6)

    assert "the code of the search space" in refused.stderr


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_a_changed_study_is_asked_about_on_a_terminal_unless_plain_lines_or_json_are_wanted(finished, monkeypatch):
    monkeypatch.chdir(finished)
    monkeypatch.setenv("HPSEARCH_DATA", str(finished / "cache"))
    words, asked = ["run", "experiments/digits.toml", *SMALL, *settings("train.epochs=7")], {}

    for more in ((), ("--plain",), ("--json",)):
        monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
        with contextlib.redirect_stdout(Terminal()) as out, contextlib.redirect_stderr(Terminal()):
            asked[more] = main([*words, *more]), "run it as 'digits-2'?" in out.getvalue()

    assert asked == {(): (6, True), ("--plain",): (6, False), ("--json",): (6, False)}


@pytest.mark.promise("43")
def test_code_that_is_edited_while_its_study_runs_ends_the_session_and_costs_no_trial(finished):
    module, ledger = finished / "spaces" / "small.py", paths.Project(finished).study("digits").ledger
    words, before = [*SMALL, "--set", "search.trials=6", "--reopen"], measures(ledger)

    def edit():
        wait_until(lambda: measures(ledger) > before)
        module.write_text(BUILD.replace('"relu"', '"tanh"'))

    editor = threading.Thread(target=edit)
    editor.start()
    ended = run(finished, *words, code=6)
    editor.join()
    states = [trial["status"] for trial in trials(finished)]
    module.write_text(BUILD)
    run(finished, *words)

    assert "changed while the study ran, in spaces/small.py\n  bring back what was there" in ended.stderr
    assert set(states) <= {"completed", "interrupted"}
    assert states.count("completed") < 6
    assert [trial["status"] for trial in trials(finished)] == ["completed"] * 6


@pytest.mark.long
def test_fresh_begins_anew_and_keeps_the_old_study(project):
    run(project, "--set", "search.trials=1", "--set", "final.seeds=1")

    run(project, "--fresh", "--set", "train.epochs=2", "--set", "search.trials=1", "--set", "final.seeds=1")

    assert (project / "mlruns" / "studies" / "digits.before-1" / "ledger.db").exists()


def test_trials_after_the_opening_of_the_test_split_need_a_word_and_are_told_of(finished):
    refused = run(finished, *SMALL, "--set", "search.trials=3", code=6)
    reopened = run(finished, *SMALL, "--set", "search.trials=3", "--reopen")

    assert "--reopen" in refused.stderr
    assert "opened 2 times" in reopened.stdout + reopened.stderr
    assert len(trials(finished)) == 3


def test_more_final_seeds_for_a_finished_study_are_refused_and_with_a_word_held_and_told_of(finished):
    refused = run(finished, *SMALL, "--set", "search.trials=2", "--set", "final.seeds=2", code=6)
    again = run(finished, *SMALL, "--set", "search.trials=2", "--set", "final.seeds=2", "--reopen")

    assert "final.seeds: 1 -> 2" in refused.stderr
    assert "--reopen" in refused.stderr
    assert "over 2 seeds" in again.stdout + again.stderr
    assert "opened 2 times" in again.stdout + again.stderr


def test_folds_and_repeats_and_a_searched_batch_size_go_all_the_way(project):
    run(project, *SMALL, *settings("data.folds=2", "data.repeats=2", "search.trials=1", "train.batch_size=[32, 64]"))

    (trial,) = trials(project)
    assert trial["values"]["batch_size"] in {32, 64}
    assert told(project, "best", "digits")["test_rows"] > 300


@pytest.mark.long
@pytest.mark.parametrize("tuner", ["keras-tuner.random", "optuna.tpe"])
def test_one_worker_and_one_seed_give_the_same_study_twice(project, tuner):
    words = settings(f"search.tuner={tuner}", "workers.count=1", "train.epochs=2", "final.seeds=1")

    run(project, *words, "--name", "one")
    run(project, *words, "--name", "two")

    assert [(t["values"], t["score"]) for t in trials(project, "one")] == [
        (t["values"], t["score"]) for t in trials(project, "two")
    ]


@pytest.mark.promise("47")
def test_a_tensorflow_that_cannot_be_imported_is_one_sentence_with_the_way_to_mend_it(project, tmp_path):
    begun = program(project, "run", "experiments/digits.toml", code=1, **without_tensorflow(tmp_path))

    assert "TensorFlow cannot be imported here (ImportError: libfoo.so is missing)\n  pip install" in begun.stderr
    assert "Traceback" not in begun.stderr


@pytest.mark.promise("47")
def test_a_study_that_goes_on_without_tensorflow_says_so_and_loses_no_trial(finished, tmp_path):
    words = ["run", "experiments/digits.toml", *SMALL, "--set", "search.trials=3", "--reopen"]

    broken = program(finished, *words, code=1, **without_tensorflow(tmp_path))
    hpsearch(finished, *words)

    assert "TensorFlow cannot be imported here (ImportError: libfoo.so is missing)\n  pip install" in broken.stderr
    assert [trial["status"] for trial in trials(finished)] == ["completed"] * 3


BROKEN = """
import traceback

try:
    raise ImportError("libfoo.so is missing")
except ImportError:
    raise ImportError(traceback.format_exc() + "\\n\\nFailed to load the native TensorFlow runtime.")
"""


def without_tensorflow(folder):
    """The environment of a program whose TensorFlow is there and broken, and says so as the real one does."""
    (folder / "broken").mkdir()
    (folder / "broken" / "tensorflow.py").write_text(BROKEN)
    return {"PYTHONPATH": str(folder / "broken")}


@pytest.mark.promise("26", "P20")
def test_a_build_that_fails_is_told_before_any_trial(project):
    (project / "spaces" / "small.py").write_text("def build(hp):\n    return undefined_thing\n")

    began = time.monotonic()
    failed = program(project, "run", "experiments/digits.toml", code=2)
    took = time.monotonic() - began

    figures.note("P20", seconds=took)
    assert took < 40  # 10 on a machine that has nothing else to do
    assert "spaces/small.py, line 2, in build: return undefined_thing" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert list((project / "mlruns").rglob("*")) == [project / "mlruns" / "studies"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_second_study_of_one_program_finds_tensorflow_imported(project):
    (project / "spaces" / "small.py").write_text("def build(hp):\n    return None\n")
    run(project, code=2)
    before = process.call(os.getppid)

    run(project, code=2)

    assert process.call(os.getppid) == before


@pytest.mark.promise("25", "29")
@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ("hp.task.classes", "5", "hp.task.classes"),
        ("sparse_categorical_crossentropy", "nosuchloss", "nosuchloss"),
        ('metrics=["accuracy"]', 'metrics=["mae"]', "the metric 'mae' fails"),
        ('metrics=["accuracy"]', "metrics=[]", "it gives: loss, val_loss"),
        ("return model", "return None", "return model"),
        (
            "return model",
            "import os; os.abort()",
            "model.build: the process of the sample builds was killed by SIGABRT",
        ),
        ("return model", "raise SystemExit(3)", "a sample build raised SystemExit: 3"),
    ],
)
def test_a_model_that_cannot_be_searched_is_told_before_any_trial(project, was, now, words):
    (project / "spaces" / "small.py").write_text(BUILD.replace(was, now))

    failed = run(project, code=2)

    assert words in failed.stderr
    assert not (project / "mlruns" / "mlflow.db").exists()


def bytes_of(file):
    try:
        return file.read_bytes()
    except FileNotFoundError:  # SQLite takes its -shm away when the last reader has gone
        return b""


@pytest.mark.promise("12", "P8", "P24", "H48")
def test_an_mlflow_that_is_away_costs_a_warning_but_no_trial_and_no_secret(project, empty_store):
    address = '[tracking]\nmlflow = "http://user:S3CRET@127.0.0.1:9"\n'
    (project / "experiments" / "digits.toml").write_text(EXPERIMENT + address)
    words = ["run", "experiments/digits.toml", *settings("search.trials=1", "train.epochs=2", "final.seeds=1")]
    secrets = {"MLFLOW_TRACKING_PASSWORD": "S3CRET", "MLFLOW_TRACKING_TOKEN": "S3CRET"}

    shown, said = watched(project, *words, **secrets)
    (project / "mlruns" / "mlflow.db").write_bytes(empty_store)
    refused = hpsearch(project, "sync", "digits", code=2)
    sent = hpsearch(project, "sync", "digits", MLFLOW_TRACKING_URI=f"sqlite:///{project}/mlruns/mlflow.db", **secrets)

    assert "MLflow has not heard the last" in said
    assert "hpsearch sync digits" in said
    assert "MLFLOW_TRACKING_URI" in refused.stderr
    assert set(mlflow_states(project)) == {"FINISHED"}
    assert len(trials(project)) == 1
    hpsearch(project, "export", "digits", "--out", str(project / "out"))
    left = [file for folder in ("mlruns", "out") for file in (project / folder).rglob("*") if file.is_file()]
    assert {"ledger.db", "report.html", "manifest.json", "mlflow.db", "experiment.json"} <= {file.name for file in left}
    figures.note("P24", files=len(left), command_lines=len(shown))
    assert [file for file in left if b"S3CRET" in bytes_of(file)] == []
    assert "S3CRET" not in "".join([*shown, said, refused.stderr, sent.stdout, sent.stderr])


def watched(project, *words, **secrets):
    """Run the program; give the command lines that `ps` showed of it and its children, and all that it said."""
    with (project / "said").open("w+") as said:
        process = psutil.Popen(
            [sys.executable, "-m", "hpsearch", *words],
            cwd=project, env=environment(project) | secrets, stdout=said, stderr=said,
        )  # fmt: skip
        shown = set()
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                shown |= {" ".join(one.cmdline()) for one in [process, *process.children(recursive=True)]}
            time.sleep(0.2)
        said.seek(0)
        return sorted(shown), said.read()


def test_inline_workers_train_in_this_process(project, empty_store):
    """The tuner is one with a process of its own, beside MLflow's; the winner's model is logged here, too."""
    files.make(project / "mlruns")
    (project / "mlruns" / "mlflow.db").write_bytes(empty_store)
    program(project, "run", "experiments/digits.toml", *settings(
        "workers.kind=inline", "search.tuner=keras-tuner.random", "search.trials=1", "final.seeds=1", "train.epochs=1"
    ))  # fmt: skip

    assert len(trials(project)) == 1
    assert logged_model(project).startswith("models:/")


def test_spoilt_images_are_refused_with_exit_code_nine_by_who_holds_the_study_and_leave_nothing(project):
    file = next((project / "images").glob("*images*"))
    file.write_bytes(file.read_bytes()[:-100])
    study = paths.Project(project).study("digits")

    with held(study):
        run(project, code=5)
    refused = run(project, code=9)

    assert file.name in refused.stderr
    assert not study.folder.exists()
