"""`hpsearch init` begins a project for a person who has installed the wheel, and harms nothing that is there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

from hpsearch.__main__ import main
from hpsearch.laying_out import GITIGNORE, RUNS, lay_out
from hpsearch.loading import load
from hpsearch.paths import Project

ROOT = Path(__file__).parents[1]
SHIPPED = [*ROOT.glob("experiments/*.toml"), *ROOT.glob("searchspace/*.py")]
SMALL = ["search.trials=1", "train.epochs=1", "final.finalists=1", "final.seeds=1", "tracking.mlflow=false"]


def build(source, kind, folder):
    """What the build backend makes of a source folder, as pip and `python -m build` would have it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", folder]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command of an environment that has the wheel, and of this one what the wheel needs, but not the checkout."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib"))  # whose own .pth files are not read
    return folder / "bin" / "hpsearch"


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / "begun"
    folder.mkdir()
    return folder


def hpsearch(folder, *words, command=(sys.executable, "-m", "hpsearch"), code=0, **more):
    surroundings = {**os.environ, "HPSEARCH_DATA": str(folder.parent / "cache"), "NO_COLOR": "1"} | more
    done = subprocess.run(
        [*command, *words], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def written(folder):
    """When each file and folder was written, and which it is."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}


def test_the_wheel_lays_out_all_that_the_clone_ships(installed, empty):
    done = hpsearch(empty, "init", command=[installed])

    shipped = {str(file.relative_to(ROOT)): file.read_bytes() for file in SHIPPED}
    assert content(empty).keys() - shipped.keys() == {GITIGNORE}
    assert shipped.items() <= content(empty).items()
    assert done.stdout.endswith("  hpsearch run experiments/quickstart.toml\n")


def test_the_source_distribution_builds_the_same_wheel(wheel, tmp_path):
    packed = build(ROOT, "sdist", tmp_path / "packed")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")

    again = build(tmp_path / packed.name.removesuffix(".tar.gz"), "wheel", tmp_path / "again")

    assert again.read_bytes() == wheel.read_bytes()


def test_a_project_that_was_begun_with_the_wheel_is_searched_with_it(installed, empty):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    hpsearch(empty, "init", command=[installed])
    hpsearch(empty, "check", "experiments/quickstart.toml", command=[installed])

    done = hpsearch(empty, "run", "experiments/quickstart.toml", *settings, "--json", command=[installed])

    assert len(json.loads(done.stdout)["trials"]) == 1
    assert (Project(empty).study("quickstart").best / "model.keras").exists()


def test_every_experiment_of_a_new_project_has_no_mistakes(empty):
    lay_out(empty)

    names = [load(file, Project.around(file.parent)).name for file in sorted(empty.glob("experiments/*.toml"))]

    assert len(names) == len(set(names)) > 1


def test_a_new_project_is_its_own_root_within_another_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "experiments").mkdir()

    lay_out(tmp_path / "deep" / "inside")

    inside = Project(tmp_path / "deep" / "inside")
    assert Project.around(inside.root / "experiments") == Project.around(inside.root) == inside


def test_a_way_out_of_a_project_leads_to_what_is_there(tmp_path):
    (tmp_path / "project" / "experiments").mkdir(parents=True)
    (tmp_path / "bare").mkdir()
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "link").symlink_to(tmp_path / "elsewhere" / "deep")

    assert Project.around(tmp_path / "project" / ".." / "bare") == Project(tmp_path / "bare")
    assert Project.around(tmp_path / "project" / "link" / "..") == Project(tmp_path / "elsewhere")
    assert Project.around(tmp_path / "project" / "link") == Project(tmp_path / "project")


def test_what_is_there_and_other_is_left_alone_and_named(empty):
    (empty / "experiments").mkdir()
    (empty / "experiments" / "quickstart.toml").write_text("mine")
    (empty / "searchspace").mkdir()
    (empty / "searchspace" / "mlp.py").symlink_to("nowhere.py")
    (empty / "searchspace" / "own.py").write_text("mine")
    (empty / GITIGNORE).write_text("*.pyc\n")

    done = hpsearch(empty, "init")

    _, told = done.stdout.split("left alone")
    for name in (".gitignore", "experiments/quickstart.toml", "searchspace/mlp.py"):
        assert f"\n  {name}\n" in told
    assert f"add the line {RUNS} to .gitignore" in told
    assert (empty / "experiments" / "quickstart.toml").read_text() == "mine"
    assert (empty / "searchspace" / "mlp.py").is_symlink()
    assert (empty / "searchspace" / "own.py").read_text() == "mine"
    assert (empty / GITIGNORE).read_text() == "*.pyc\n"
    assert (empty / "searchspace" / "cnn.py").exists()


def test_a_second_time_changes_nothing(empty):
    first = json.loads(hpsearch(empty, "init", "--json").stdout)
    before = written(empty)

    second = json.loads(hpsearch(empty, "init", "--json").stdout)

    assert written(empty) == before
    assert (second["made"], second["left"]) == ([], [])
    assert second["alike"] == sorted(first["made"])


@pytest.mark.parametrize("line", ["mlruns", "mlruns/", "/mlruns", "/mlruns/"])
def test_a_gitignore_that_names_what_runs_leave_is_as_it_should_be(empty, line):
    (empty / GITIGNORE).write_text(f"*.pyc\n{line}\n")

    done = lay_out(empty)

    assert GITIGNORE in done.alike
    assert Project(empty).runs.name == RUNS.strip("/")


def test_a_kill_leaves_whole_files_and_the_next_time_makes_the_rest(empty, tmp_path):
    hpsearch(empty, "init", code=-signal.SIGKILL, HPSEARCH_FAILPOINT="mlp.py.filled=kill")
    whole = content(tmp_path / lay_out(tmp_path / "whole").folder)
    left = {name: held for name, held in content(empty).items() if name in whole}

    hpsearch(empty, "init")

    assert left.items() < whole.items()
    assert whole.items() <= content(empty).items()


def test_a_folder_that_cannot_be_written_to_is_named_and_nothing_is_made(mounted, capsys):
    disk = mounted("size=600k,ro")

    code = main(["init", str(disk / "digits")])

    assert code == 7
    assert f"{disk / 'digits'}: cannot create this folder" in capsys.readouterr().err


def test_a_folder_whose_name_is_too_long_is_refused(capsys):
    code = main(["init", "x" * 300])

    assert code == 7
    assert "cannot create this folder (File name too long)" in capsys.readouterr().err


@pytest.mark.parametrize("in_the_way", ["digits", "digits/searchspace"])
def test_a_file_in_the_way_is_named_and_nothing_is_made(tmp_path, monkeypatch, capsys, in_the_way):
    monkeypatch.chdir(tmp_path)
    Path(in_the_way).parent.mkdir(exist_ok=True)
    Path(in_the_way).touch()

    code = main(["init", "digits"])

    assert code == 7
    assert capsys.readouterr().err.splitlines() == [
        f"{in_the_way}: cannot create this folder (File exists)",
        "  move the file in its way or choose another place",
    ]
    assert content(tmp_path) == {in_the_way: b""}


def test_the_way_to_a_project_in_another_folder_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    main(["init", "two words"])

    told = capsys.readouterr().out.splitlines()
    assert told[-2:] == ["  cd 'two words'", "  hpsearch run experiments/quickstart.toml"]


@pytest.mark.parametrize("words", [["run", "experiments/quickstart.toml"], ["list"]])
def test_in_a_folder_without_a_project_the_way_to_one_is_told(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)

    main(words)

    assert "hpsearch init" in "".join(capsys.readouterr())


def test_an_installation_without_templates_says_so(tmp_path, empty):
    bare = shutil.copytree(ROOT / "hpsearch", tmp_path / "bare" / "hpsearch")

    done = hpsearch(empty, "init", code=7, PYTHONPATH=str(bare.parent))

    assert done.stderr.splitlines()[-1] == "  install hpsearch anew"
    assert content(empty) == {}
