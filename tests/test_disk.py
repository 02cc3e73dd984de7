"""A disk that is full, read-only, shared, locked or gone stops a study with its cause, and costs it nothing."""

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import disk_stories
import figures
import numpy as np
import odd_trackers
import psutil
import pytest
from data_makers import Heard, serving
from instant import Instant
from test_search import Dice, Lenient, go
from waiting import wait_until

from hpsearch import disk, file_systems, files, ledger_file, paths
from hpsearch.backup import Backup
from hpsearch.datasets.archive import take_out
from hpsearch.datasets.download import RemoteFile, fetch
from hpsearch.errors import DataRefused, FolderUnusable, StudyChanged
from hpsearch.experiment import Experiment
from hpsearch.follower import FINISH
from hpsearch.ledger import Ledger
from hpsearch.outbox import Outbox
from hpsearch.outcomes import outcomes
from hpsearch.splits import Splits
from hpsearch.study import Study, held, set_aside
from hpsearch.trial import AttemptEnd, Failure, How, TrialResult
from hpsearch.worker.failing import ends_session

LEVELS = [10_000 + 17_000 * level for level in range(30)]  # bytes that are free
TRIALS = 30
GB = 1_000_000_000
LOCK = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
LIMITED = """
import pathlib, resource, sys
from hpsearch.errors import FolderUnusable
from hpsearch.ledger import Ledger
from hpsearch.records import SessionEnded

resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
ledger = Ledger(pathlib.Path(sys.argv[1]))
try:
    for _ in range(200):
        ledger.write(SessionEnded(finished=False, reason="a" * 5000), durable=True)
except FolderUnusable as refused:
    print(refused)
"""


@pytest.fixture
def labels(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(200) % 4)
    return tmp_path / "labels.npy"


def experiment(trials=TRIALS):
    return Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "search": {"trials": trials}})


def searched(folder, labels, executor=None, acknowledged=None):
    """Search in a folder to the end; put each result that the ledger has taken into `acknowledged`."""
    place = paths.Study(files.make(folder))
    with closing(Study(experiment(), place)) as study:
        study.listen(lambda news: acknowledged.append(news.body) if isinstance(news.body, TrialResult) else None)
        go(study, Splits(experiment(), labels, place.splits), executor or Instant())
        return study.state.results


def fill(disk, free):
    """Take all room on a disk but so many bytes."""
    (disk / "ballast").write_bytes(bytes(max(0, shutil.disk_usage(disk).free - free)))


@pytest.mark.promise("52", "P11")
def test_a_disk_that_gets_full_at_any_point_of_a_search_loses_no_result(mounted, labels):
    disk, full = mounted("size=4m"), 0
    undisturbed = searched(disk / "undisturbed", labels, acknowledged=[])
    shutil.rmtree(disk / "undisturbed")
    for free in LEVELS:
        fill(disk, free)
        acknowledged = []
        try:
            searched(disk / "study", labels, acknowledged=acknowledged)
        except FolderUnusable as stopped:
            full += 1
            assert str(stopped).startswith(f"disk full: {disk}")  # noqa: PT017  # of a disk that may have sufficed
            assert "MB free" in str(stopped)  # noqa: PT017  # the same
        (disk / "ballast").unlink()

        kept = acknowledged.copy()
        results = searched(disk / "study", labels, acknowledged=acknowledged)

        assert results[: len(kept)] == kept
        assert results == undisturbed, free
        assert len(acknowledged) == TRIALS
        shutil.rmtree(disk / "study")
    figures.note("P11", levels=len(LEVELS), full=full, lost=0)
    assert full > len(LEVELS) / 2


@pytest.mark.promise("53")
def test_a_study_on_a_disk_that_may_only_be_read_is_shown(mounted, labels):
    disk = mounted("size=4m")
    results = searched(paths.Project(disk).study("a").folder, labels, acknowledged=[])
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    told = [news.body for news in outcomes(paths.Project(disk), "a")]

    assert [body for body in told if isinstance(body, TrialResult)] == results


@pytest.mark.promise("52")
@pytest.mark.parametrize("where", ["a server", "a folder"])
def test_a_download_that_fills_the_disk_says_so_and_goes_on_from_a_server_where_it_was(mounted, tmp_path, where):
    body = np.random.default_rng(0).bytes(1_000_000)
    digits = RemoteFile("digits.gz", (), f"sha256:{hashlib.sha256(body).hexdigest()}", len(body))
    disk, stick = mounted("size=2m"), files.make(tmp_path / "stick")
    (stick / "digits.gz").write_bytes(body)
    fill(disk, 400_000)
    with serving({"digits.gz": body}) as site:
        mirror = str(stick) if where == "a folder" else f"{site.url}/good/"

        with pytest.raises(FolderUnusable) as refused:
            fetch([digits], disk / "downloads", Heard(), mirror)

        assert str(refused.value).startswith(f"{disk / 'downloads'}: cannot be written (No space left")
        assert "set HPSEARCH_DATA to another folder" in str(refused.value)
        (disk / "ballast").unlink()
        assert fetch([digits], disk / "downloads", Heard(), mirror)[0].read_bytes() == body
        if where == "a server":
            assert [begun for _, begun in site.asked[1:]] != [None]


@pytest.mark.promise("52")
def test_an_archive_whose_members_fill_the_disk_is_not_taken_for_a_damaged_one(mounted, tmp_path):
    disk, archive = mounted("size=1m"), tmp_path / "gzip.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("gzip/images", bytes(3_000_000))

    with pytest.raises(FolderUnusable, match=r"cannot be written \(No space left") as refused:
        take_out(archive, ["gzip/images"], disk, 4_000_000)

    assert str(disk) in str(refused.value)
    assert "set HPSEARCH_DATA to another folder" in str(refused.value)


class Hindered(Instant):
    """Workers whose first fit comes upon what no trial can help."""

    def __init__(self, error):
        super().__init__()
        self._failure = Failure(type(error).__name__, str(error))

    def _begin(self, fitting):
        if self.orders[1:]:
            super()._begin(fitting)
            return
        self._news.append(AttemptEnd(fitting.order.attempt, How.LOST, 0.0, failure=self._failure))


@pytest.mark.promise("43", "52", "64")
@pytest.mark.parametrize(
    "error",
    [
        FolderUnusable("disk full: fits/search-0000/checkpoint.bin, 0 MB free"),
        DataRefused("cache/train: the prepared data are gone or damaged"),
        StudyChanged("the code of the search space changed while the study ran, in space.py"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_trial_can_help_stops_the_search_and_fails_no_trial(tmp_path, labels, error):
    acknowledged = []
    with pytest.raises(type(error), match=re.escape(str(error))):
        searched(tmp_path / "a", labels, Hindered(error), acknowledged)
    assert acknowledged == []

    results = searched(tmp_path / "a", labels, acknowledged=acknowledged)

    assert {result.status for result in results} == {"completed"}
    assert len(results) == TRIALS


@pytest.mark.promise("52")
def test_a_trial_that_fills_another_disk_is_not_told_to_make_room_where_there_is_much(tmp_path):
    with pytest.raises(OSError, match="No space left") as full, Path("/dev/full").open("wb", buffering=0) as other:
        other.write(b"a person's own file")

    said = str(ends_session(full.value, tmp_path))

    assert said.startswith("disk full: ")
    assert "MB free (a quota may be used up, or another disk be full)" in said


@pytest.mark.promise("52")
def test_a_ledger_that_a_limit_of_its_user_cuts_off_says_what_that_may_be(tmp_path):
    ledger = disk_stories.a_study(tmp_path / "a", left=0)

    done = subprocess.run([sys.executable, "-c", LIMITED, ledger], capture_output=True, text=True, check=False)

    assert done.stdout.endswith("(disk I/O error)\n  its disk may be failing, or a quota be used up\n"), done.stderr


@pytest.mark.promise("52")
def test_a_file_that_finds_no_room_stays_as_it_was_and_leaves_nothing(mounted):
    disk = mounted("size=600k")
    files.write_text(disk / "report.html", "old")
    fill(disk, 8192)

    with pytest.raises(FolderUnusable, match=rf"disk full: {disk}/report\.html, 0 MB free"):
        files.write_text(disk / "report.html", "new" * 100_000)

    assert (disk / "report.html").read_text() == "old"
    assert {file.name for file in disk.iterdir()} == {"report.html", "ballast"}


@pytest.mark.promise("52")
def test_a_tracker_hears_everything_although_its_cursor_found_no_room(mounted, tmp_path):
    disk = mounted("size=600k")
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        disk_stories.write(ledger, range(3))
        last = ledger.waiting(0)
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free))
    cursor, listener = disk / "mlflow.cursor", odd_trackers.Listener(tmp_path)
    outbox = Outbox(tmp_path / "ledger.db", cursor, listener)
    outbox.start()
    outbox._finish.set()
    outbox._say(FINISH)
    wait_until(lambda: outbox.trouble)
    (disk / "ballast").unlink()

    outbox.close(60)

    assert sorted(set(listener.heard)) == list(range(1, last + 1))
    assert cursor.read_text().split()[0] == str(last)


@pytest.mark.promise("52")
def test_a_backup_that_finds_no_room_keeps_the_one_before_and_stops_nothing(mounted):
    disk = mounted("size=1m")
    place = paths.Study(disk_stories.a_study(disk / "a", left=0).parent)
    following = Backup(place)
    following.hear(SimpleNamespace(number=1))
    following.close()
    first = place.backup.read_bytes()
    fill(disk, 8192)

    following.hear(SimpleNamespace(number=2))
    following.close()

    assert place.backup.read_bytes() == first
    assert not list(place.folder.glob(".*"))


@pytest.mark.promise("52")
def test_little_room_is_told_of_before_the_first_trial_and_much_is_not(mounted):
    small, large = mounted("size=600k"), mounted("size=2g")

    assert "only 0 MB are free" in disk.scarcity(small)
    assert disk.scarcity(large) == ""


@pytest.mark.promise("52")
@pytest.mark.parametrize(("free", "warned"), [(4000, False), (20, False), (19, True)])
def test_of_a_large_disk_on_which_much_is_free_no_share_is_asked_for(tmp_path, monkeypatch, free, warned):
    usage = SimpleNamespace(total=100_000 * GB, free=free * GB)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)

    said = disk.scarcity(tmp_path)

    assert (f"only {free}000 MB are free" in said) is warned
    assert bool(said) is warned


@pytest.mark.promise("53")
def test_a_folder_that_cannot_be_written_to_is_refused_by_path_and_user(mounted):
    disk = mounted("size=600k,ro")

    with (
        pytest.raises(FolderUnusable, match=rf"{disk}.*by user {os.getuid()}|Read-only") as refused,
        held(paths.Project(disk).study("a")),
    ):
        pytest.fail("it was held")

    assert str(disk) in str(refused.value)
    assert refused.value.exit_code == 7


@pytest.mark.promise("54")
@pytest.mark.parametrize("gone", [shutil.rmtree, lambda folder: set_aside(paths.Study(folder))])
def test_a_study_whose_folder_is_removed_stops_and_does_not_make_it_anew(tmp_path, labels, gone):
    place = paths.Study(files.make(tmp_path / "a"))
    study = Study(experiment(), place)
    study.listen(lambda news: gone(place.folder) if news.number == 50 else None)

    with pytest.raises(FolderUnusable, match=r"ledger\.db: removed while the study was running"):
        go(study, Splits(experiment(), labels, place.splits), Instant())

    assert not place.folder.exists()


@pytest.fixture
def locked(tmp_path):
    """A ledger that another process holds locked, and that process: it lets go when its input ends."""
    ledger = disk_stories.a_study(tmp_path / "a", left=0)
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield ledger, process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.promise("55")
def test_a_ledger_locked_by_another_process_is_waited_for_with_one_word(locked, monkeypatch):
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.1)
    path, other = locked
    said = []

    def heard(text):
        said.append(text)
        other.stdin.close()  # it lets go after the word

    with closing(Ledger(path, say=heard)) as ledger:
        news = ledger.write(next(disk_stories.beginning()), durable=True)

    assert said == ["the study's ledger is locked by another process: waiting for it"]
    with closing(Ledger(path, writer=False)) as ledger:
        assert ledger.waiting(0) == news.number


@pytest.mark.promise("55")
def test_a_ledger_that_stays_locked_stops_the_study_after_a_while_with_the_cause(locked, monkeypatch):
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(ledger_file, "PATIENCE_SECONDS", 0.5)
    path, _ = locked

    with pytest.raises(FolderUnusable, match="locked by another process"), closing(Ledger(path)) as ledger:
        ledger.write(next(disk_stories.beginning()), durable=True)


@pytest.mark.promise("55")
def test_a_ledger_that_could_not_be_opened_for_its_first_record_can_be_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_file, "PATIENCE_SECONDS", 0.2)
    ledger = Ledger(tmp_path / "ledger.db")

    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FolderUnusable, match="locked by another process"):
            ledger.write(next(disk_stories.beginning()), durable=True)

    ledger.close()


@pytest.mark.promise("55")
def test_a_race_for_the_ledger_that_a_reader_lost_is_no_damage(tmp_path):
    lost = sqlite3.OperationalError("locking protocol")
    lost.sqlite_errorname = "SQLITE_PROTOCOL"

    with pytest.raises(FolderUnusable, match="locked by another process"), ledger_file.in_words(tmp_path / "ledger.db"):
        raise lost


@pytest.mark.promise("57")
@pytest.mark.parametrize(
    ("kind", "shared"),
    [
        *((kind, True) for kind in ("nfs4", "cifs", "smbfs", "ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.sshfs")),
        *((kind, True) for kind in ("virtiofs", "fakeowner", "vboxsf", "prl_fs", "fuse.prl_fsd", "fuse.vmhgfs-fuse")),
        *((kind, True) for kind in ("wekafs", "panfs", "fuse.juicefs", "fuse.mfs", "fuse.blobfuse2")),
        *((kind, False) for kind in ("ext4", "btrfs", "overlay", "apfs", "NTFS", "fuseblk", "fuse.mergerfs", "")),
    ],
)
def test_a_file_system_that_several_machines_share_is_known_by_its_name_in_the_kernel_or_out_of_it(kind, shared):
    assert file_systems.is_shared(kind) is shared


@pytest.mark.promise("57")
def test_on_a_network_file_system_the_ledger_keeps_a_rollback_journal_and_says_so_once(tmp_path, labels, monkeypatch):
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)  # noqa: A006  # psutil's own word
    said = []
    place = paths.Study(files.make(tmp_path / "a"))

    with closing(Study(experiment(), place, said.append)) as study:
        go(study, Splits(experiment(), labels, place.splits), Instant(), Dice(), Lenient())

        assert len(study.state.results) == TRIALS
        assert not place.ledger.with_name("ledger.db-wal").exists()
    assert len(said) == 1
    assert "nfs4" in said[0]
