"""The tests that kill, cut and damage do find it when what they are about is switched off in the program."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutation:
    """A change to one file of the program, in each pair from the first text to the second, and who should find it."""

    file: str
    changes: tuple[tuple[str, str], ...]
    found_by: str


MUTATIONS = {
    "nothing is brought to the disk": Mutation(
        "ledger_file.py",
        (("PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF"),),
        "test_power_loss.py::test_every_acknowledged_record_outlives_the_loss_of_all_that_was_not_yet_on_the_disk",
    ),
    "files are written in their place": Mutation(
        "files.py",
        (
            ("fill(temporary)\n        _make_durable(temporary)", "fill(path)\n        _make_durable(path)"),
            ("        temporary.replace(path)\n", ""),
        ),
        "test_whole_files.py::test_a_kill_while_a_file_is_written_leaves_the_old_one_whole_and_a_new_one_absent",
    ),
    "attempts that were replaced are heard": Mutation(
        "crew.py",
        (
            (
                "if self._running.get(event.attempt.fit) != event.attempt:",
                "if event.attempt.fit not in self._running:",
            ),
        ),
        "test_search.py::test_a_late_word_of_an_attempt_that_was_replaced_is_refused",
    ),
    "what was told before a kill is written again": Mutation(
        "crew.py",
        (("if epoch <= self._study.state.epochs.get(attempt.fit, 0)", "if epoch < 0"),),
        "test_search.py::test_a_measure_that_is_told_again_is_written_once",
    ),
    "checksums are not looked at": Mutation(
        "ledger.py",
        (
            (
                "if said[0] != after or said[3] not in KINDS or checked != checksum(*said):",
                "if said[0] != after or said[3] not in KINDS:",
            ),
        ),
        "test_damage.py::test_damage_anywhere_in_a_ledger_is_refused_or_changes_nothing",
    ),
    "a log that hides transactions is believed": Mutation(
        "ledger_file.py",
        (('if wal.hides_transactions(path.with_name(f"{path.name}-wal")):', "if False:"),),
        "test_damage.py::test_damage_anywhere_in_a_ledger_is_refused_or_changes_nothing",
    ),
    "nobody holds a study": Mutation(
        "study.py",
        (("        lock.acquire()\n", "        pass\n"),),
        "test_ownership.py::test_of_two_that_start_at_once_exactly_one_holds_the_study",
    ),
}


pytestmark = pytest.mark.long


@pytest.fixture
def copy(tmp_path):
    """The program and its tests, to be changed at will."""
    for folder in ("hpsearch", "tests", "benchmarks", "searchspace"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "results"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def outcome(copy, *tests):
    """Pytest's exit code and words; pytest's 1 is that tests failed, and nothing else went wrong."""
    words = ["-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=copy, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr[-1000:]


@pytest.mark.promise("16", "18", "9", "37", "41", "P1", "P10", "P12")
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_protection_that_is_switched_off_is_missed_by_the_test_of_it(copy, name):
    mutation = MUTATIONS[name]
    file = copy / "hpsearch" / mutation.file
    text = file.read_text(encoding="utf-8")
    for old, new in mutation.changes:
        assert text.count(old) == 1, f"the program no longer says: {old}"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")

    code, said = outcome(copy, mutation.found_by)

    if "skipped" in said and "failed" not in said:
        pytest.skip(f"{mutation.found_by} cannot be run here")
    assert code == 1, said
    assert f"FAILED tests/{mutation.found_by}" in said, said


def test_with_nothing_switched_off_the_same_tests_find_nothing(copy):
    code, said = outcome(copy, *dict.fromkeys(mutation.found_by for mutation in MUTATIONS.values()))

    assert code == 0, said
