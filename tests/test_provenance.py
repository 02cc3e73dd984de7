import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpsearch.experiment import Experiment
from hpsearch.provenance import (
    code_digest,
    differences,
    git_commit,
    machine,
    public,
    redacted,
    source_digest,
    versions,
)


def experiment(**tables: object) -> Experiment:
    return Experiment.model_validate({"name": "a", "model": {"build": "m:b"}, "search": {"trials": 3}, **tables})


CODE = "import os\n\n\ndef build(hp):\n    return hp.Int('n', 1, 2)\n"


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("# a comment\nimport os\ndef build( hp ):  # another\n\n    return hp.Int(\n        'n', 1, 2)\n", True),
        (CODE.replace("1, 2", "1, 3"), False),
        (CODE.replace("1, 2", "1.0, 2"), False),
        (CODE.replace("1, 2", "True, 2"), False),
        (CODE.replace("'n'", "'m'"), False),
        (CODE + "x = 1\n", False),
        ("def broken(:\n", False),
    ],
)
def test_only_what_the_code_says_counts(tmp_path: Path, code: str, same: bool) -> None:
    file = tmp_path / "space.py"
    file.write_text(CODE)
    before = code_digest([file], tmp_path)

    file.write_text(code)

    assert (code_digest([file], tmp_path) == before) is same


def test_the_order_of_files_and_the_place_of_the_project_do_not_count(tmp_path: Path) -> None:
    for root in ("one", "two"):
        (tmp_path / root).mkdir()
        for name in ("a.py", "b.py"):
            (tmp_path / root / name).write_text(f"{CODE}# {root}")
    one, two = ([tmp_path / root / name for name in ("a.py", "b.py")] for root in ("one", "two"))

    assert code_digest(one, tmp_path / "one") == code_digest(reversed(two), tmp_path / "two")


@pytest.mark.parametrize(
    ("tables", "table"),
    [
        ({"seed": 1}, "seed"),
        ({"data": {"source": "mnist"}}, "data"),
        ({"model": {"build": "m:c"}}, "model"),
        ({"space": {"n": [1, 2]}}, "space"),
        ({"search": {"trials": 3, "tuner": "optuna.tpe"}}, "search"),
        ({"search": {"trials": 3, "pruner_options": {"x": 1}}}, "search"),
        ({"train": {"batch_size": [64, 128]}}, "train"),
        ({"search": {"trials": 9, "time": "3m", "max_failures": 2}}, None),
        ({"search": {"trials": 3, "max_consecutive_failures": 2}}, None),
        ({"train": {"keep": 9}}, None),
        ({"train": {"trial_timeout": "1h", "stall_timeout": "5m", "trial_memory": "2GB"}}, None),
        ({"final": {"seeds": 9}}, None),
        ({"workers": {"count": 9}}, None),
        ({"tracking": {"mlflow": False}}, None),
        ({"name": "b"}, None),
        ({"data": {"mirror": "https://host"}}, None),
    ],
)
def test_what_must_not_change_is_named(tables: dict[str, Any], table: str | None) -> None:
    old, new = experiment(), experiment(**tables)

    named = differences(old.model_dump(mode="json"), new.model_dump(mode="json"))

    assert [line.partition(":")[0].partition(".")[0] for line in named] == ([table] if table else [])


def test_a_difference_shows_both_values() -> None:
    old, new = experiment(), experiment(search={"trials": 3, "tuner": "optuna.tpe"}, space={"n": 3})

    named = differences(old.model_dump(mode="json"), new.model_dump(mode="json"))

    assert named == ["search.tuner: 'keras-tuner.random' -> 'optuna.tpe'", "space.n: nothing -> 3"]


def test_the_versions_of_what_shapes_a_result_are_known() -> None:
    known = versions()

    assert set(known) >= {"python", "hpsearch", "tensorflow", "keras", "keras-tuner", "optuna", "numpy"}
    assert all(known.values())
    assert set(machine()) == {"cpus", "platform"}


def test_the_source_of_hpsearch_has_a_digest_that_is_always_the_same() -> None:
    assert re.fullmatch("[0-9a-f]{64}", source_digest())
    assert source_digest() == source_digest()


def test_the_commit_is_known_and_marked_when_files_differ(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    outside = git_commit(tmp_path)
    git("init")
    (tmp_path / "a.py").write_text(CODE)
    git("add", ".")
    git("commit", "-m", "first")
    clean = git_commit(tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    dirty = git_commit(tmp_path)

    assert outside == ""
    assert len(clean) == 40
    assert dirty == f"{clean}+dirty"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:canary@host:5000/x", "https://***@host:5000/x"),
        ("postgresql://me:can@ary@host/db", "postgresql://***@host/db"),
        ("postgresql://me:can/ary@host/db", "postgresql://***@host/db"),
        ("postgresql://me:can#ary@host/db?ssl=canary", "postgresql://***@host/db?***"),
        ("postgresql://me:can?ary@host/db", "postgresql://***"),
        ("postgresql://:can ary@host/db", "postgresql://***@host/db"),
        ("https://host/x?token=canary", "https://host/x?***"),
        ("https://host/x?token=can@ary", "https://***"),
        ("https://me:canary@host/x?token=can@ary", "https://***@host/x?***"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("sqlite:////home/a/mlflow.db", "sqlite:////home/a/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: str, shown: str) -> None:
    said = public(experiment(tracking={"mlflow": address}))

    assert redacted(address) == redacted(shown) == shown
    assert said["tracking"]["mlflow"] == shown
