"""What a killed process was writing is old or new, never half: report, best/ and exports appear by rename."""

import hashlib
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from stories import whole_story

from hpsearch import claiming, files, paths, records
from hpsearch.claiming import claimed
from hpsearch.ledger import Ledger
from hpsearch.trial import Trial

KILLED_BEFORE_ITS_NAME = """
import os, signal, sys
from pathlib import Path
from hpsearch import files, paths
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)  # the temporary file is written, its name still to come
"""
REPORT = """
from hpsearch.report.facts import gather
from hpsearch.report.html import write_report
from hpsearch.study import read
project = paths.Project(Path(sys.argv[1]))
write_report(gather(read(project, "tiny")), project.study("tiny").report)
"""
EXPORT = """
root = Path(sys.argv[1])
def fill(folder):
    (folder / "model.keras").write_text("the new one")
files.write_folder(root / "out", fill)
"""
BEST = """
from hpsearch.protocols import Prepared
from hpsearch.study import Study
from hpsearch.winner import lay_out
from stories import EXPERIMENT
project = paths.Project(Path(sys.argv[1]))
study = Study(EXPERIMENT, project.study("tiny"))
data = Prepared(Path(), "tiny", "0", ("nought", "one"), (4, 4), 10, 10, "official")
lay_out(study, study.state.verdict, data)
"""


@pytest.fixture
def project(tmp_path):
    project = paths.Project(tmp_path)
    study = project.study("tiny")
    judged = files.make(study.fits / "final-0000-r1-f0") / "model.keras"
    judged.write_bytes(b"a model")
    opened = records.TestOpened({"final-0000-r1-f0": hashlib.sha256(b"a model").hexdigest()})
    began, space, *rest = (news.body for news in whole_story())
    asked = [records.Asked(Trial(number, {"rate": 0.1})) for number in range(3)]
    with closing(Ledger(study.ledger)) as ledger:
        for body in (began, space, *asked, *rest):
            ledger.write(opened if isinstance(body, records.TestOpened) else body)
    return project


@pytest.mark.promise("9")
@pytest.mark.parametrize(
    ("program", "file"),
    [
        (REPORT, "mlruns/studies/tiny/report.html"),
        (BEST, "mlruns/studies/tiny/best/model.keras"),
        (EXPORT, "out/model.keras"),
    ],
    ids=["report", "best", "export"],
)
def test_a_kill_while_a_file_is_written_leaves_the_old_one_whole_and_a_new_one_absent(project, program, file):
    written = project.root / file

    ends = [run(program, project)]
    absent = not written.exists()
    files.make(written.parent)
    written.write_text("the old one")
    ends.append(run(program, project))

    assert ends == [-signal.SIGKILL] * 2
    assert absent
    assert written.read_text() == "the old one"


def run(program, project):
    return subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_ITS_NAME + program, str(project.root)],
        env={"PYTHONPATH": ":".join(filter(None, (str(Path(__file__).parent), *sys.path)))}, check=False,
    ).returncode  # fmt: skip


def fill(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "model").write_text("new")


def test_a_folder_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")

    files.write_folder(tmp_path / "out", fill)

    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()] == [
        "out/deep/model"
    ]


def test_a_folder_that_cannot_be_filled_is_as_it_was(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")

    def fail(folder):
        fill(folder)
        message = "no more"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no more"):
        files.write_folder(tmp_path / "out", fail)

    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["old"]


def test_what_a_killed_process_left_of_a_folder_is_cleared_away_and_what_a_living_one_writes_is_not(tmp_path):
    left = files.make(tmp_path / ".out.killed.part")
    living = files.make(tmp_path / ".out.living.part")
    with claimed(living):
        files.write_folder(tmp_path / "out", fill)

    assert not left.exists()
    assert living.exists()


def test_what_a_killed_process_left_of_a_file_is_cleared_away_and_what_a_living_one_writes_is_not(tmp_path):
    left, living, other = (tmp_path / f".{name}.part" for name in ("a.bin.killed", "a.bin.living", "b.bin.killed"))
    for folder in (left, living, other):
        files.make(folder).joinpath("a.bin").write_bytes(b"half")
    with claimed(living):
        files.write_text(tmp_path / "a.bin", "whole")

    assert sorted(file.name for file in tmp_path.iterdir()) == [".a.bin.living.part", ".b.bin.killed.part", "a.bin"]


def test_a_file_is_its_owners_alone_and_is_not_claimed_while_it_is_written(tmp_path):
    claims = []

    def fill(file):
        with claimed(file) as free:
            claims.append(free)

    files.write(tmp_path / "a.bin", fill)

    assert claims == [True]
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen to the first temporary folder as soon as it is made; give all that are made."""
    make, made = tempfile.mkdtemp, []

    def meanwhile(happens):
        def make_one(**named):
            made.append(Path(make(**named)))
            if len(made) == 1:
                happens(made[0])
            return str(made[-1])

        monkeypatch.setattr(tempfile, "mkdtemp", make_one)
        return made

    return meanwhile


def test_a_folder_that_was_cleared_away_before_it_was_claimed_is_made_once_more(tmp_path, meanwhile):
    made = meanwhile(lambda _: claiming.clear_away(tmp_path, ".*.part"))

    files.write_text(tmp_path / "a.bin", "whole")

    assert len(made) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


def test_a_folder_that_is_just_being_cleared_away_is_not_written_to(tmp_path, meanwhile):
    with ExitStack() as held:
        made = meanwhile(lambda folder: held.enter_context(claimed(folder)))

        files.write_text(tmp_path / "a.bin", "whole")

    assert len(made) == 2
    assert (tmp_path / "a.bin").read_text() == "whole"


def test_where_names_cannot_be_exchanged_a_folder_is_replaced_in_two_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "swap", lambda one, other: False)
    files.write_folder(tmp_path / "out", lambda folder: (folder / "old").write_text("old"))

    files.write_folder(tmp_path / "out", fill)

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "model", "out"]
