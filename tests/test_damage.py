"""A study's files that do not hold what was written are refused and left as they are, wherever the damage is."""

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import disk_stories
import numpy as np
import odd_trackers
import pytest

from hpsearch.datasets.content import Content, Part
from hpsearch.datasets.prepared import is_sound
from hpsearch.datasets.storing import keep_once
from hpsearch.errors import StateDamaged
from hpsearch.follower import read_cursor
from hpsearch.ledger import Ledger
from hpsearch.outbox import Outbox
from hpsearch.paths import Study
from hpsearch.splits import Splits
from hpsearch.study import is_empty
from hpsearch.trial import Fit

HARMS, PAGE = 500, 4096
KINDS = ("bit", "bit", "bit", "page", "bytes", "end")
TWO_TRANSACTIONS = 20  # records


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return disk_stories.a_study(tmp_path_factory.mktemp("sound") / "a").parent


def records(folder):
    ledger = Ledger(folder / "ledger.db")
    try:
        return [news.body for news in ledger.read()]
    finally:
        ledger.close()


def content(folder):
    """Of the ledger and its write-ahead log; an empty one of these is no more than a sign of having been read."""
    return {file: said for file in folder.glob("ledger.db*") if (said := file.read_bytes()) and "-shm" not in file.name}


def harm(dice, content):
    """One kind of damage at a random place: a flipped bit, a lost page, foreign bytes, a torn end."""
    spoilt, place, kind = bytearray(content), dice.randrange(len(content)), dice.choice(KINDS)
    match kind:
        case "bit":
            spoilt[place] ^= 1 << dice.randrange(8)
        case "page":
            start = place // PAGE * PAGE
            spoilt[start : start + PAGE] = bytes(len(spoilt[start : start + PAGE]))
        case "bytes":
            spoilt[place : place + 16] = dice.randbytes(len(spoilt[place : place + 16]))
        case "end":
            del spoilt[place:]
    return kind, bytes(spoilt)


def as_it_was_or_refused(folder):
    """The records that can be read, None where the study was refused; a refused one must not be touched."""
    before, said = content(folder), ""
    try:
        return records(folder)
    except StateDamaged as refused:
        said = str(refused)
    assert content(folder) == before
    assert "hpsearch repair" in said or "newer hpsearch" in said
    return None


@pytest.mark.promise("37", "P12")
def test_damage_anywhere_in_a_ledger_is_refused_or_changes_nothing(sound, tmp_path):
    """A write-ahead log may be cut: that is how a power cut leaves it, with its last transaction torn."""
    dice, written = random.Random(12), records(shutil.copytree(sound, tmp_path / "sound"))
    refused = 0
    for number in range(HARMS):
        folder = shutil.copytree(sound, tmp_path / str(number))
        file = folder / dice.choice(["ledger.db", "ledger.db", "ledger.db-wal"])
        kind, spoilt = harm(dice, file.read_bytes())
        file.write_bytes(spoilt)

        read = as_it_was_or_refused(folder)

        refused += read is None
        if read is not None and file.name.endswith("-wal"):
            assert read == written[: len(read)], number
            assert kind == "end" or len(written) - len(read) <= TWO_TRANSACTIONS, number
        elif read is not None:
            assert read == written, number
        shutil.rmtree(folder)
    assert refused > HARMS / 2


@pytest.mark.promise("37")
def test_a_page_that_forgot_its_last_record_is_refused_although_every_other_record_is_sound(tmp_path):
    ledger = disk_stories.a_study(tmp_path / "a", closed=20, left=0)
    records(tmp_path / "a")
    with sqlite3.connect(ledger) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema").fetchone()[0]
    db.close()
    pages = bytearray(ledger.read_bytes())
    right = int.from_bytes(pages[(root - 1) * PAGE + 8 :][:4], "big")  # the last leaf: www.sqlite.org/fileformat.html
    count = (right - 1) * PAGE + 3
    pages[count : count + 2] = (int.from_bytes(pages[count : count + 2], "big") - 1).to_bytes(2, "big")
    ledger.write_bytes(pages)

    assert as_it_was_or_refused(tmp_path / "a") is None


@pytest.mark.promise("37")
def test_a_study_whose_log_is_spoilt_is_not_taken_for_an_empty_one(tmp_path):
    begun = (
        "import os, pathlib, sys; from disk_stories import beginning; from hpsearch.ledger import Ledger\n"
        "ledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "[ledger.write(body, durable=True) for body in beginning()]; os._exit(0)"
    )
    for name in ("empty", "spoilt"):
        (tmp_path / name).mkdir()
    Ledger(tmp_path / "empty" / "ledger.db").close()
    ledger = tmp_path / "spoilt" / "ledger.db"
    subprocess.run([sys.executable, "-c", begun, ledger], check=True, cwd=Path(__file__).parent)
    log = bytearray(ledger.with_name("ledger.db-wal").read_bytes())
    log[16] ^= 1
    ledger.with_name("ledger.db-wal").write_bytes(log)

    assert [is_empty(Study(tmp_path / name)) for name in ("empty", "spoilt")] == [True, False]


@pytest.mark.promise("37")
@pytest.mark.parametrize("backed_up", [True, False])
def test_an_empty_ledger_is_refused_and_a_missing_one_where_its_backup_is(tmp_path, backed_up):
    ledger = disk_stories.a_study(tmp_path / "a")
    ledger.with_name("ledger.db-wal").unlink()
    if backed_up:
        ledger.rename(tmp_path / "a" / "ledger.backup.db")
    else:
        ledger.write_bytes(b"")

    with pytest.raises(StateDamaged, match="missing" if backed_up else "empty"):
        Ledger(ledger)

    assert not ledger.exists() or not ledger.stat().st_size


def flips(content, count, seed=0):
    """The content with one bit flipped, at so many places, and cut at as many."""
    dice = random.Random(seed)
    for _ in range(count):
        spoilt = bytearray(content)
        spoilt[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        yield bytes(spoilt)
        yield content[: dice.randrange(len(content))]


@pytest.mark.promise("P12")
def test_a_damaged_cursor_lets_a_tracker_miss_nothing(tmp_path):
    heard, cursor = follow(tmp_path), tmp_path / "cursor"
    sound = cursor.read_bytes()
    for content in flips(sound, 200):
        cursor.write_bytes(content)

        assert read_cursor(cursor, "") in {0, len(heard)}, content


def follow(folder):
    """Write down a study of two trials, and have a tracker hear it."""
    with closing(Ledger(folder / "ledger.db")) as ledger:
        disk_stories.write(ledger, range(2))
    return hear(folder)


def hear(folder):
    listener = odd_trackers.Listener(folder)
    outbox = Outbox(folder / "ledger.db", folder / "cursor", listener)
    outbox.start()
    assert outbox.close(60) == 0
    return listener.heard


def test_a_tracker_hears_all_again_when_the_ledger_became_an_older_one(tmp_path):
    everything = follow(tmp_path)
    for file in ("ledger.db", "heard"):
        (tmp_path / file).unlink()
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        disk_stories.write(ledger, range(1))

    heard = hear(tmp_path)

    assert heard == everything[: len(heard)]
    assert heard


@pytest.mark.promise("P12")
def test_damaged_splits_are_refused_with_their_mend_or_hold_the_same_rows(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(200) % 4)

    def split():
        return Splits(disk_stories.EXPERIMENT, tmp_path / "labels.npy", tmp_path / "splits").file(Fit(0, 0))

    file = split()
    sound, rows = file.read_bytes(), rows_of(file)
    refused = 0
    for content in flips(sound, 60):
        file.write_bytes(content)
        try:
            assert rows_of(split()) == rows
        except StateDamaged as damaged:
            assert "delete the file" in str(damaged)  # noqa: PT017  # of damage that may have been harmless
            refused += 1
    file.unlink()

    assert rows_of(split()) == rows
    assert refused > 60


def test_a_split_that_is_deleted_while_its_study_runs_is_written_again(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(200) % 4)
    splits = Splits(disk_stories.EXPERIMENT, tmp_path / "labels.npy", tmp_path / "splits")
    file = splits.file(Fit(0, 0))
    rows = rows_of(file)
    shutil.rmtree(file.parent)
    (tmp_path / "labels.npy").unlink()

    assert rows_of(splits.file(Fit(1, 0))) == rows


def rows_of(file):
    with np.load(file) as arrays:
        return {name: arrays[name].tolist() for name in ("train", "validation")}


@pytest.mark.promise("P12")
@pytest.mark.parametrize("name", ["train/images.npy", "train/labels.npy", "test/labels.npy", "manifest.json"])
def test_prepared_data_that_were_damaged_are_prepared_again(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    images, labels = np.arange(320, dtype=np.uint8).reshape(20, 4, 4), np.arange(20) % 2
    part = Part(images, labels, "a source")
    content = Content("a", ("no", "yes"), part, part, "its source", "free")
    prepared = keep_once("a", 1, lambda: content)
    sound = (prepared.folder / name).read_bytes()
    unclosed = sound.replace(b"}", b" ")  # NumPy has Python's tokenizer read a header that it cannot
    for spoilt in [unclosed, *flips(sound, 10)]:
        (prepared.folder / name).write_bytes(spoilt)

        assert keep_once("a", 1, lambda: content) == prepared

        assert (prepared.folder / "train" / "images.npy").stat().st_size == 128 + 320
        assert is_sound(prepared)
