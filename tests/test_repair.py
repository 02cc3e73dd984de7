"""A damaged study is restored as far as it can be, says what it lost, and goes on."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import disk_stories
import pytest
from click.testing import CliRunner
from waiting import wait_until

from hpsearch import backup, files, ledger_file, paths
from hpsearch.cli.repair import repair as command
from hpsearch.cli.show import show
from hpsearch.cli.studies import list_studies
from hpsearch.errors import FolderUnusable, RunningElsewhere, StateDamaged
from hpsearch.ledger import Ledger
from hpsearch.repair import repair
from hpsearch.study import Study, held
from hpsearch.trial import TrialResult

WHOLE = 30  # trials


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "a"
    ledger = disk_stories.a_study(folder, closed=WHOLE, left=0)
    records(ledger)
    return folder


@pytest.fixture
def study(template, tmp_path):
    (tmp_path / "mlruns" / "studies").mkdir(parents=True)
    shutil.copytree(template, tmp_path / "mlruns" / "studies" / "a")
    return paths.Project(tmp_path).study("a")


def records(file):
    with closing(Ledger(file, writer=False)) as ledger:
        return [news.body for news in ledger.read()]


def spoil(file, record):
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE log SET searched = 9.0 WHERE number = ?", (record,))


def backed_up(study):
    """A copy as of the last record, by a study that has just written one."""
    following = backup.Backup(study)
    with closing(Ledger(study.ledger)) as ledger:
        following.hear(ledger.write(next(disk_stories.beginning()), durable=True))
        following.close()


@pytest.mark.promise("37", "P12")
def test_the_sound_beginning_of_a_damaged_ledger_is_kept_and_the_rest_is_told(study):
    written = records(study.ledger)
    spoil(study.ledger, 200)
    spoilt = study.ledger.read_bytes()

    done = repair(study)

    assert records(study.ledger) == written[:199]
    assert (done.records, done.lost, done.source) == (199, len(written) - 199, "ledger.db")
    assert (done.trials, done.unfinished) == (19, 1)
    assert study.folder.joinpath(done.aside).read_bytes() == spoilt


@pytest.mark.promise("37", "P12")
def test_a_backup_that_knows_more_than_the_damaged_file_takes_its_place(study):
    backed_up(study)
    written = records(study.ledger)
    study.ledger.write_bytes(b"\0" * study.ledger.stat().st_size)

    done = repair(study)

    assert records(study.ledger) == written
    assert done.source == "ledger.backup.db"


@pytest.mark.promise("37")
def test_a_ledger_that_is_gone_comes_back_from_its_backup(study):
    backed_up(study)
    study.ledger.unlink()
    with pytest.raises(StateDamaged, match=r"missing(?s:.*)ledger\.backup\.db, of (?s:.*)hpsearch repair a"):
        Ledger(study.ledger)

    repair(study)

    assert len(records(study.ledger)) > WHOLE


@pytest.mark.promise("37")
@pytest.mark.parametrize("left", ["ledger.damaged-1.db", "ledger.repaired.db"])
def test_what_a_repair_left_is_a_study_that_can_be_repaired_or_begun_anew(study, left):
    written = records(study.ledger)
    study.ledger.rename(study.folder / left)
    assert paths.Project(study.folder.parents[2]).studies() == ["a"]
    assert study.begun
    with pytest.raises(StateDamaged, match="hpsearch repair a"):
        Ledger(study.ledger)

    done = repair(study)

    assert records(study.ledger) == written
    assert (done.source, done.aside) == (left, "")


def test_what_unfinished_trials_left_is_gone_after_a_repair_and_that_of_ended_ones_stays(study):
    for number in (18, 19, 20):
        files.make(study.fits / f"search-{number:04d}-r0-f0")
    files.write_text(study.cursor, "300")
    spoil(study.ledger, 200)  # in trial 19

    repair(study)

    assert [folder.name for folder in study.fits.iterdir()] == ["search-0018-r0-f0"]
    assert not study.cursor.exists()


@pytest.mark.promise("37", "55")
def test_a_ledger_that_another_process_has_locked_is_not_taken_for_a_damaged_one(study, monkeypatch):
    backed_up(study)
    monkeypatch.setattr(ledger_file, "PATIENCE_SECONDS", 0.1)
    before = study.ledger.read_bytes()

    with closing(sqlite3.connect(study.ledger, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FolderUnusable, match="locked by another process"):
            repair(study)
        other.execute("ROLLBACK")

    assert study.ledger.read_bytes() == before
    assert not list(study.folder.glob("ledger.damaged-*"))


@pytest.mark.promise("37", "52")
@pytest.mark.parametrize("free", [0, 48])
def test_a_full_disk_is_called_one_and_the_ledger_on_it_not_beyond_repair(study, mounted, free):
    disk = mounted("size=2m")
    full = paths.Project(disk).study("a")
    shutil.copytree(study.folder, full.folder)
    spoil(full.ledger, 200)
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - free * 1024))

    with pytest.raises(FolderUnusable, match="disk full"):
        repair(full)

    (disk / "ballast").unlink()
    assert repair(full).records == 199


def test_a_sound_ledger_is_left_as_it_is(study):
    before = study.ledger.read_bytes()

    done = repair(study)

    assert not done.wrong
    assert study.ledger.read_bytes() == before
    assert [file.name for file in study.folder.glob("ledger*.db")] == ["ledger.db"]


@pytest.mark.promise("37")
def test_a_ledger_without_a_sound_record_and_without_a_backup_is_left_as_it_is(study):
    study.ledger.write_bytes(b"nothing of a ledger")

    with pytest.raises(StateDamaged, match="--fresh"):
        repair(study)

    assert study.ledger.read_bytes() == b"nothing of a ledger"


def test_a_repaired_study_opens_and_goes_on(study):
    spoil(study.ledger, 200)
    repair(study)

    with closing(Study(disk_stories.EXPERIMENT, study)) as opened:
        opened.record(next(disk_stories.beginning()), durable=True)

        assert opened.state.last == 200


@pytest.mark.parametrize("steps", range(9))
def test_a_repair_that_is_killed_between_two_steps_is_finished_by_the_next(study, steps):
    written = records(study.ledger)
    files.make(study.fits / "search-0019-r0-f0")
    files.write_text(study.cursor, "300")
    spoil(study.ledger, 200)
    study.ledger.with_name("ledger.db-wal").write_bytes(b"no log at all")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(study.folder), str(steps)], check=False)
    assert killed.returncode == -signal.SIGKILL

    done = repair(study)

    assert records(study.ledger) == written[:199]
    assert not done.wrong or done.records == 199
    assert not study.cursor.exists()
    assert list(study.fits.iterdir()) == []


KILLED = """
import os, pathlib, shutil, signal, sys
from hpsearch import files, paths
from hpsearch.repair import repair
left = int(sys.argv[2])
def dying(method):
    def call(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return method(*arguments, **named)
    return call
for name in ("rename", "replace"):
    setattr(pathlib.Path, name, dying(getattr(pathlib.Path, name)))
shutil.rmtree = dying(shutil.rmtree)
repair(paths.Study(pathlib.Path(sys.argv[1])))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.promise("37")
def test_the_command_says_in_words_and_as_json_what_it_did(study, monkeypatch):
    monkeypatch.chdir(study.folder.parents[2])
    results = [number for number, body in enumerate(records(study.ledger), 1) if isinstance(body, TrialResult)]
    spoil(study.ledger, results[19])
    listed = CliRunner().invoke(list_studies, ["--json"])
    shown = CliRunner().invoke(show, ["a"])

    said = CliRunner().invoke(command, ["a"])
    again = CliRunner().invoke(command, ["a", "--json"])

    assert json.loads(listed.output)[0]["state"] == "damaged"
    assert isinstance(shown.exception, StateDamaged)
    assert f"record {results[19]} is missing or is not what was written" in said.output
    assert f"kept: {results[19] - 1} records, of ledger.db: 19 finished trials, and " in said.output
    assert "ledger.damaged-1.db" in said.output
    assert json.loads(again.output)["records"] == results[19] - 1


def test_a_running_study_is_not_repaired(study, monkeypatch):
    monkeypatch.chdir(study.folder.parents[2])
    with held(study):
        refused = CliRunner().invoke(command, ["a"])

    assert isinstance(refused.exception, RunningElsewhere)


@pytest.mark.promise("37")
def test_a_backup_is_made_while_the_study_writes_and_at_its_end(study, monkeypatch):
    monkeypatch.setattr(backup, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(backup, "SHARE", 1.0)
    following = backup.Backup(study)
    with closing(Ledger(study.ledger)) as ledger:
        following.hear(ledger.write(next(disk_stories.beginning()), durable=True))
        wait_until(study.backup.exists)
        early = records(study.backup)
        for body in disk_stories.trial(WHOLE):
            following.hear(ledger.write(body, durable=True))
        following.close()

        assert early == records(study.ledger)[: len(early)]
        assert records(study.backup) == records(study.ledger)


@pytest.mark.promise("37")
def test_a_damaged_ledger_never_takes_the_place_of_a_good_backup(study):
    backed_up(study)
    good = study.backup.read_bytes()
    spoil(study.ledger, 20)
    following = backup.Backup(study)
    with closing(Ledger(study.ledger)) as ledger:
        following.hear(ledger.write(next(disk_stories.beginning()), durable=True))

        following.close()

    assert study.backup.read_bytes() == good


def test_a_machine_that_can_begin_no_more_threads_costs_a_study_its_copies_of_the_ledger_alone(study, monkeypatch):
    monkeypatch.setattr(backup, "EVERY_SECONDS", 0.0)
    following = backup.Backup(study)
    with closing(Ledger(study.ledger)) as ledger:
        began = ledger.write(next(disk_stories.beginning()), durable=True)

        with monkeypatch.context() as machine:
            machine.setattr(threading.Thread, "start", no_more_threads)
            following.hear(began)
        following.close()

    assert records(study.backup)


def no_more_threads(_thread):
    message = "can't start new thread"
    raise RuntimeError(message)


def test_a_study_that_is_written_to_little_is_backed_up_once_a_minute_at_most(study):
    following = backup.Backup(study)
    with closing(Ledger(study.ledger)) as ledger:
        following.hear(ledger.write(next(disk_stories.beginning()), durable=True))

    assert not study.backup.exists()
