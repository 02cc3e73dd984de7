"""What is on disk at any moment holds every record that was acknowledged by then."""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from hpsearch.ledger import Ledger

CUTS = 25
WRITER = """
import sys
from pathlib import Path
import disk_stories
from hpsearch.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(100_000):
    for body in disk_stories.trial(number):
        ledger.write(body)
    ledger.commit()
    print(number, flush=True)
"""


@pytest.fixture
def writer(tmp_path):
    said = (tmp_path / "acknowledged").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "ledger.db")], stdout=said, cwd=__file__.rpartition("/")[0]
    )
    yield process, tmp_path / "acknowledged"
    process.kill()
    process.wait()
    said.close()


def image(folder, to):
    """The files as a crash leaves them; the index of the write-ahead log lives in memory and is lost."""
    to.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copyfile(folder / name, to / name)
    return to / "ledger.db"


@pytest.mark.promise("18")
def test_every_acknowledged_record_is_in_what_a_crash_leaves_at_any_moment(writer, tmp_path):
    process, acknowledged = writer
    dice, seen = random.Random(18), set()
    until = time.monotonic() + 60
    while not acknowledged.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    for cut in range(CUTS):
        time.sleep(dice.uniform(0.0, 0.05))
        process.send_signal(signal.SIGSTOP)
        trials = acknowledged.read_text().count("\n")
        copied = image(tmp_path, tmp_path / str(cut))
        process.send_signal(signal.SIGCONT)

        with closing(Ledger(copied)) as ledger:
            kept = sum(type(news.body).__name__ == "TrialResult" for news in ledger.read())

        assert trials <= kept <= trials + 1
        seen.add(kept)
    assert len(seen) > CUTS / 2


@pytest.mark.promise("18")
def test_a_ledger_waits_for_the_disk_with_every_transaction(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        ledger._begin()

        assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
