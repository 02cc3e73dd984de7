import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hpsearch.__main__ import main
from hpsearch.cli.output import plain, print_json, table

GOOD = """\
name = "small"
[model]
build = "mlp:build"
[space]
"a b" = {min = 1, max = 3}
[search]
trials = 3
[tracking]
mlflow = "https://me:canary-1@host/x?token=canary-2"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "mlp.py").write_text("def build(hp):\n    return None\n")
    written = tmp_path / "experiments" / "x.toml"
    written.write_text(GOOD)
    return written


def hpsearch(*words: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hpsearch", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **surroundings})


def test_a_good_experiment_is_printed_as_toml_with_its_defaults_and_no_secret(file: Path) -> None:
    done = hpsearch("check", str(file))

    said = tomllib.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert said["data"] == {
        "source": "mnist-5k",
        "transposed": False,
        "validation": 0.15,
        "repeats": 1,
        "allow_empty_class": False,
    }
    assert said["space"]["a b"] == {"min": 1, "max": 3}
    assert said["tracking"]["mlflow"] == "https://***@host/x?***"
    assert "canary" not in done.stdout


def test_mistakes_are_printed_as_json_too(file: Path) -> None:
    done = hpsearch("check", str(file), "--json", "--set", "search.trials=0")

    said = json.loads(done.stdout)
    assert done.returncode == 2
    assert said["ok"] is False
    assert said["mistakes"][0]["where"] == "--set search.trials"


def test_a_good_experiment_is_printed_as_json(file: Path) -> None:
    done = hpsearch("check", str(file), "--json", "--set", "search.trials=9")

    assert json.loads(done.stdout)["experiment"]["search"]["trials"] == 9


def test_data_that_are_not_there_are_warned_of_and_no_mistake_of_the_file(file: Path) -> None:
    words = ("check", str(file), "--set", "data.source=folder", "--set", "data.folder=nowhere")

    done, as_json = hpsearch(*words), hpsearch(*words, "--json")

    assert done.returncode == as_json.returncode == 0
    assert "warning: " in done.stderr
    assert "nowhere: there is no such folder" in done.stderr
    assert tomllib.loads(done.stdout)["data"]["source"] == "folder"
    assert "there is no such folder" in json.loads(as_json.stdout)["warnings"][0]
    assert json.loads(hpsearch("check", str(file), "--json").stdout)["warnings"] == []


@pytest.mark.parametrize(
    ("set_", "told"),
    [
        (("search.pruner=asha", "train.epochs=3"), "the pruner asha will stop no trial: it first judges at epoch 3"),
        (
            ("search.tuner=optuna.tpe", "search.trials=10"),
            "the tuner optuna.tpe will learn from no trial: the first 10",
        ),
        (("search.tuner=optuna.tpe", "search.trials=11"), None),
        (("search.tuner=optuna.tpe", "search.trials=4", "search.tuner_options={startup_trials = 3}"), None),
    ],
)
def test_a_part_that_will_be_of_no_use_is_warned_of(
    file: Path, capsys: pytest.CaptureFixture[str], set_: tuple[str, ...], told: str | None
) -> None:
    code = main(["check", str(file), "--json", *(word for one in set_ for word in ("--set", one))])

    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert code == 0
    assert [warning.startswith(told or "") for warning in warnings] == [True] * (told is not None)


@pytest.mark.parametrize("source", ["folder", "idx", "npz", "csv"])
def test_data_at_a_place_that_cannot_be_looked_at_end_no_check(file: Path, source: str) -> None:
    key = "folder" if source in {"folder", "idx"} else "file"
    too_long = "x" * 300

    done = hpsearch("check", str(file), "--set", f"data.source={source}", "--set", f"data.{key}={too_long}")

    assert done.returncode == 0
    assert done.stderr.startswith("warning: ")
    assert "Traceback" not in done.stderr


def test_neither_help_nor_check_imports_anything_heavy(file: Path) -> None:
    heavy = (
        "numpy",
        "tensorflow",
        "keras",
        "keras_tuner",
        "optuna",
        "mlflow",
        "sklearn",
        "pandas",
        "matplotlib",
        "rich",
    )
    program = (
        "import sys; from hpsearch.__main__ import main\n"
        f"assert main(sys.argv[1:]) == 0\nprint(sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)"
    )

    said = [
        subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        ).stderr.strip()
        for words in (["--help"], ["check", str(file)])
    ]

    assert said == ["[]", "[]"]


def test_the_door_imports_nothing_until_it_is_opened() -> None:
    program = (
        "import sys; before = set(sys.modules); import hpsearch.__main__; print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['hpsearch', 'hpsearch.__main__']"


def test_help_names_every_command_with_examples() -> None:
    done = hpsearch("--help")

    assert done.returncode == 0
    for word in ("run", "check", "schema", "data", "list", "show", "best", "export", "ui", "Examples:"):
        assert word in done.stdout


@pytest.mark.parametrize("words", [["chekc"], ["check"], ["check", "--jsn", "x.toml"], ["--verison"]])
def test_wrong_words_exit_with_2_and_the_nearest_known_word(words: list[str]) -> None:
    done = hpsearch(*words)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert words != ["chekc"] or "did you mean 'check'?" in done.stderr


def test_the_version_is_told() -> None:
    done = hpsearch("--version")

    assert done.stdout.startswith("hpsearch 0.")


def test_the_schema_describes_every_table() -> None:
    done = hpsearch("schema")

    said = json.loads(done.stdout)
    assert set(said["properties"]) >= {"name", "data", "model", "space", "search", "train", "final"}
    assert said["$defs"]["Search"]["properties"]["trials"]["description"]


def test_a_closed_pipe_is_no_mistake() -> None:
    command = f"{sys.executable} -m hpsearch schema | true; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode in {0, 141}
    assert done.stderr == ""


def test_an_error_is_written_without_colours_or_control_signs_to_a_file(file: Path) -> None:
    file.write_text(GOOD.replace('name = "small"', 'name = "\\u001b[31mred"'))

    done = hpsearch("check", str(file))

    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_what_nobody_foresaw_shows_its_traceback_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hpsearch.cli.schema", None)

    code = main(["schema"])

    said = capfd.readouterr().err
    assert code == 70
    assert "Traceback" in said
    assert "please report" in said


def test_a_table_aligns_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(["name", "n"], [["a\x1b", 5], ["bcdef", 1000]])

    assert capsys.readouterr().out.splitlines() == ["name      n", "a\\x1b     5", "bcdef  1000"]


def test_json_for_programs_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), float("inf"), 1.5]})

    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 1.5]}


def test_no_text_drives_the_terminal() -> None:
    assert plain("a\x1b[2J\nb\r") == "a\\x1b[2J\nb\\r"
