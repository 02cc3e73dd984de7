"""What the README shows is what the program takes."""

import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import click
import pytest

from hpsearch import errors
from hpsearch.__main__ import BROKEN_PIPE, CTRL_C, OUR_MISTAKE, UNWRITABLE
from hpsearch.cards import CUDA_BUILD
from hpsearch.cli import group
from hpsearch.loading import load
from hpsearch.paths import Project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ("experiment.md", "export.md", "play.md", "predict.md", "python.md", "results.md")
SHOWN = [README, *((ROOT / "docs" / name).read_text(encoding="utf-8") for name in DOCS)]
COMMANDS = re.findall(r"^\s*(?:\.venv/bin/)?hpsearch ([^#\n]+?)\s*(?:(?:#|> ).*)?$", "\n".join(SHOWN), re.MULTILINE)
PIP_LINES = re.findall(r"^\s+\.venv/bin/(pip .+ -[re] .+)$", README, re.MULTILINE)  # those from a clone


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_shown_is_one_that_the_program_takes(words):
    command, rest = group, shlex.split(words)
    while isinstance(command, click.Group):
        command, rest = command.get_command(click.Context(command), rest[0]), rest[1:]

    context = command.make_context("hpsearch", rest)

    assert context.params


def test_every_command_shows_examples():
    commands = [(name, group.get_command(click.Context(group), name)) for name in group.list_commands(None)]
    commands += [(f"data {name}", command) for name, command in dict(commands)["data"].commands.items()]

    assert [name for name, command in commands if "  hpsearch " not in (command.epilog or "")] == []
    assert len(commands) > 20


def test_the_experiment_shown_has_no_mistakes(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "shown.toml"
    file.write_text(shown, encoding="utf-8")

    experiment = load(file, Project(ROOT))

    assert experiment.name == "emnist-mlp"


def test_the_files_and_pictures_shown_are_there():
    linked = re.findall(r"\]\(([^)#:]+)\)", README)

    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_the_pip_lines_shown_are_those_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert len(PIP_LINES) == 3
    for line in PIP_LINES:
        for word in line.replace("-r ", "--requirement ").replace("-e ", "--editable ").split():
            assert word in makefile


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_gives_a_venv_pip_that_uv_made_without(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >asked\n')
    python.chmod(0o755)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()

    words, where = [shutil.which("make"), ".venv/run.stamp"], {"cwd": tmp_path, "env": {"PATH": "/usr/bin:/bin"}}
    made = subprocess.run(words, **where, capture_output=True, text=True, check=False)

    assert (tmp_path / "asked").read_text() == "-m ensurepip --default-pip\n"
    assert "pip install" in made.stdout


def test_the_tensorflow_named_for_cards_is_the_one_of_the_lock_file():
    locked = re.findall(r"^tensorflow==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)

    for said in (CUDA_BUILD, (ROOT / "docs" / "gpus.md").read_text(encoding="utf-8")):
        assert re.findall(r"tensorflow\[and-cuda\]==([\d.]+)", said) == locked


def test_help_tells_every_exit_code_with_which_the_program_ends():
    codes = {
        error.exit_code for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "exit_code")
    }
    codes |= {CTRL_C, BROKEN_PIPE, OUR_MISTAKE, UNWRITABLE, 128 + signal.SIGTERM, 128 + signal.SIGHUP, 0}

    told = {int(code) for code in re.findall(r"\b\d+\b", group.epilog.partition("Exit codes:")[2])}

    assert told == codes
