"""What is on disk at any moment holds every record that was acknowledged by then."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import disk_stories
import figures
import pytest
from waiting import wait_until

from hpsearch import wal
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


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """The environment of a process on a disk whose cache is lost: FILE.safe is what it brought to the disk."""
    compiler, made = shutil.which("cc"), tmp_path_factory.mktemp("lossy") / "lossy_disk.so"
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    source = Path(__file__).with_name("lossy_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(made)}


@pytest.mark.promise("18")
def test_every_acknowledged_record_outlives_the_loss_of_all_that_was_not_yet_on_the_disk(lossy, tmp_path):
    writing = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "ledger.db")], stdout=subprocess.PIPE, env=lossy,
        cwd=Path(__file__).parent, text=True,
    )  # fmt: skip
    with writing:
        acknowledged = [int(writing.stdout.readline()) for _ in range(40)][-1] + 1
        writing.kill()
        acknowledged += len(writing.stdout.read().splitlines())

    with closing(Ledger(what_the_disk_has(tmp_path, tmp_path / "image"))) as ledger:
        kept = sum(type(news.body).__name__ == "TrialResult" for news in ledger.read())
    assert acknowledged <= kept <= acknowledged + 1


def what_the_disk_has(folder, to):
    """The ledger's file was made under another name, with all of it on the disk before it got its own."""
    to.mkdir()
    safe, log = folder / "ledger.db.safe", folder / "ledger.db-wal.safe"
    shutil.copyfile(safe if safe.exists() else folder / "ledger.db", to / "ledger.db")
    (to / "ledger.db-wal").write_bytes(log.read_bytes() if log.exists() else b"")
    return to / "ledger.db"


@pytest.mark.promise("38")
@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.long)])
def test_a_log_cut_anywhere_in_its_last_transactions_ends_with_the_last_whole_one(tmp_path, stride):
    """A frame is a header of 24 bytes and a page; the headers are cut at every byte."""
    folder = disk_stories.a_study(tmp_path / "a", closed=2, left=3).parent
    whole, log = (folder / "ledger.db").read_bytes(), (folder / "ledger.db-wal").read_bytes()
    written = records(tmp_path / "whole", whole, log)
    frames = range(wal.HEADER, len(log), wal.FRAME + wal.PAGE)
    ends = [start + wal.FRAME + wal.PAGE for start in frames if any(log[start + 4 : start + 8])]  # of transactions
    cuts = {cut for cut in range(ends[-3], len(log) + 1) if (cut - wal.HEADER) % (wal.FRAME + wal.PAGE) <= wal.FRAME}
    cuts |= {*range(ends[-3], len(log) + 1, stride), *ends[-3:]}
    kept = {end: records(tmp_path / f"end-{end}", whole, log[:end]) for end in ends[-3:]}

    for cut in sorted(cuts):
        found = records(tmp_path / "cut", whole, log[:cut])

        assert found == kept[max(end for end in kept if end <= cut)], cut
        shutil.rmtree(tmp_path / "cut")
    figures.note("38", cuts=len(cuts), transactions=2)
    assert [len(found) for found in kept.values()] == sorted({len(found) for found in kept.values()})
    assert kept[len(log)] == written


def records(folder, database, log):
    folder.mkdir()
    (folder / "ledger.db").write_bytes(database)
    (folder / "ledger.db-wal").write_bytes(log)
    with closing(Ledger(folder / "ledger.db")) as ledger:
        return [news.body for news in ledger.read()]


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
    wait_until(acknowledged.read_text)
    for cut in range(CUTS):
        process.send_signal(signal.SIGCONT)  # it is held still while its records are read, or there would be many more
        time.sleep(dice.uniform(0.0, 0.1))
        process.send_signal(signal.SIGSTOP)
        trials = acknowledged.read_text().count("\n")
        copied = image(tmp_path, tmp_path / str(cut))

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
