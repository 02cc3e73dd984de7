"""Ledgers of other versions: an older one is migrated whole or not at all, a newer one is left alone."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpsearch import schema
from hpsearch.errors import HpsearchError, NeedsNewer, StateDamaged
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.paths import Project
from hpsearch.session import Session
from hpsearch.state import State
from hpsearch.study import held

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("schema_*.db"))
MIGRATE = """
import os, signal, sys
from pathlib import Path
from hpsearch import schema

def rename(db):
    db.execute("ALTER TABLE log RENAME COLUMN searched TO seconds")

def fill(db):
    db.execute("UPDATE log SET seconds = seconds + 1")

def die(db):
    os.kill(os.getpid(), signal.SIGKILL)

step = int(sys.argv[2])
steps = [rename, fill]
steps.insert(step, die)
schema.migrate(Path(sys.argv[1]), 1, [*schema.STEPS, *steps])
"""


@pytest.fixture(params=FIXTURES, ids=lambda file: file.stem)
def ledger(request, tmp_path):
    (tmp_path / "a").mkdir()
    return Path(shutil.copy(request.param, tmp_path / "a" / "ledger.db"))


def columns(file):
    with closing(sqlite3.connect(file)) as db:
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(log)")]
        return names[2], db.execute("PRAGMA user_version").fetchone()[0], db.execute("SELECT * FROM log").fetchall()


@pytest.mark.promise("48", "P25")
def test_a_ledger_of_every_released_schema_opens_and_goes_on(ledger):
    state = State()
    with closing(Ledger(ledger)) as opened:
        for news in opened.read():
            state.take(news)
        opened.write(state.session, durable=True)

    assert [result.score for result in state.results] == [pytest.approx(score) for score in SCORES]
    assert not list(ledger.parent.glob("ledger.schema-*.db")) or schema.SCHEMA > 1


SCORES = [0.8444218515250481, 0.13436424411240122, 0.9560342718892494]


@pytest.mark.promise("48", "P25")
@pytest.mark.parametrize("step", range(3))
def test_a_migration_that_is_killed_at_any_step_leaves_the_old_ledger_whole(tmp_path, step):
    ledger = Path(shutil.copy(FIXTURES[0], tmp_path / "ledger.db"))
    before = columns(ledger)

    killed = subprocess.run([sys.executable, "-c", MIGRATE, str(ledger), str(step)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert columns(ledger) == before
    assert columns(tmp_path / "ledger.schema-1.db") == before


@pytest.mark.promise("48", "P25")
def test_a_migration_takes_every_step_and_keeps_a_copy_of_what_was(tmp_path):
    ledger = Path(shutil.copy(FIXTURES[0], tmp_path / "ledger.db"))
    before = columns(ledger)

    schema.migrate(
        ledger,
        1,
        [
            *schema.STEPS,
            lambda db: db.execute("ALTER TABLE log RENAME COLUMN searched TO seconds"),
            lambda db: db.execute("UPDATE log SET seconds = seconds + 1"),
        ],
    )

    name, version, rows = columns(ledger)
    assert (name, version) == ("seconds", 3)
    assert [row[2] for row in rows] == [row[2] + 1 for row in before[2]]
    assert columns(tmp_path / "ledger.schema-1.db") == before


@pytest.mark.promise("47", "P25")
@pytest.mark.parametrize("writer", [True, False])
def test_a_newer_ledger_is_refused_with_what_it_needs_and_left_alone(ledger, writer):
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA user_version = 99")
    before = ledger.read_bytes()

    with pytest.raises(NeedsNewer, match="needs a newer hpsearch") as refused:
        Ledger(ledger, writer=writer)

    assert refused.value.exit_code == StateDamaged.exit_code == 4
    assert ledger.read_bytes() == before


def begin(project):
    experiment = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "search": {"trials": 1}})
    Session(experiment, SimpleNamespace(project=project)).run()


def hold(project):
    with held(project.study("a")):
        pass


@pytest.mark.parametrize("use", [begin, hold, lambda project: Ledger(project.study("a").ledger, writer=False)])
def test_too_old_an_sqlite_is_told_before_anything_is_made(tmp_path, monkeypatch, use):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    with pytest.raises(HpsearchError, match=r"^this Python brings SQLite 3\.34\.1, and hpsearch needs 3\.37"):
        use(Project(tmp_path))

    assert list(tmp_path.iterdir()) == []
