"""One process holds a study, whatever happens to it: nobody else begins, and its death frees the study at once."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import chaos
import figures
import history
import pytest

from hpsearch import files, paths
from hpsearch.errors import FolderUnusable, RunningElsewhere
from hpsearch.study import held, is_running

RACES = 50
CONTENDER = """
import json, pathlib, sys, time
from hpsearch import paths
from hpsearch.errors import RunningElsewhere
from hpsearch.study import held
print("ready", flush=True)
for line in sys.stdin:
    began = time.monotonic()
    try:
        with held(paths.Study(pathlib.Path(line.rstrip()))):
            print(json.dumps({"held": True, "seconds": time.monotonic() - began}), flush=True)
            sys.stdin.readline()
    except RunningElsewhere as refused:
        print(json.dumps({"held": False, "seconds": time.monotonic() - began, "said": str(refused)}), flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def contenders():
    begun = [
        subprocess.Popen([sys.executable, "-c", CONTENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for one in begun:
        assert one.stdout.readline() == "ready\n"
    yield begun
    for one in begun:
        one.kill()
        one.communicate()


def send(contender, line):
    contender.stdin.write(f"{line}\n")
    contender.stdin.flush()


def answer(contender):
    return json.loads(contender.stdout.readline())


@pytest.mark.promise("41", "P10")
def test_of_two_that_start_at_once_exactly_one_holds_the_study(contenders, tmp_path):
    slowest = 0.0
    for number in range(RACES):
        for one in contenders:
            send(one, tmp_path / str(number))
        answers = [answer(one) for one in contenders]
        for one in contenders:
            send(one, "next")

        loser = next(one for one in answers if not one["held"])
        assert sorted(one["held"] for one in answers) == [False, True]
        slowest = max(slowest, loser["seconds"])
        assert loser["seconds"] < 1
        assert "is in use by" in loser["said"]
    figures.note("P10", races=RACES, slowest_refusal_seconds=slowest)


@pytest.fixture
def holder(contenders, tmp_path):
    send(contenders[0], tmp_path / "a")
    assert answer(contenders[0])["held"]
    return contenders[0]


@pytest.mark.promise("17", "41", "P10")
def test_a_holder_that_is_paused_still_holds_and_is_named_by_process_and_host(holder, tmp_path):
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()

    with pytest.raises(RunningElsewhere) as refused, held(paths.Study(tmp_path / "a")):
        pytest.fail("it was held twice")

    assert time.monotonic() - began < 1
    assert f"process {holder.pid}" in str(refused.value)
    assert socket.gethostname() in str(refused.value)
    assert refused.value.exit_code == 5


@pytest.mark.promise("41")
@pytest.mark.parametrize("paused", [False, True])
def test_the_death_of_the_holder_frees_the_study_at_once(holder, tmp_path, paused):
    if paused:
        holder.send_signal(signal.SIGSTOP)
    holder.kill()
    holder.wait()

    with held(paths.Study(tmp_path / "a")):
        said = json.loads((tmp_path / "a" / "holder.json").read_text())

    assert said["pid"] == os.getpid()


@pytest.mark.promise("41")
def test_who_lets_go_of_a_study_leaves_the_note_of_another_that_holds_it_since_its_lock_was_removed(
    contenders, tmp_path
):
    study = paths.Study(tmp_path / "a")

    with held(study):
        study.lock.unlink()
        send(contenders[0], study.folder)
        assert answer(contenders[0])["held"]

    assert json.loads(study.holder.read_text())["pid"] == contenders[0].pid


@pytest.mark.filterwarnings("ignore:flock not supported")  # filelock says so once more
def test_where_a_lock_is_a_mere_file_it_is_told_how_to_free_what_another_machine_left(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", _missing)
    study = paths.Study(files.make(tmp_path / "a"))
    study.lock.write_text("812\nnode-1\n")
    study.holder.write_text(json.dumps({"pid": 812, "host": "node-1", "boot": "", "started": 7.0, "doing": "run"}))

    with pytest.raises(RunningElsewhere, match="in use by process 812 on node-1") as refused, held(study):
        pytest.fail("it was held twice")

    assert str(refused.value).endswith(f"; if it was killed, remove {study.lock}")


def _missing(_file, _how):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))  # as Lustre answers where it was mounted without flock


@pytest.mark.promise("P12")
@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "7", '{"pie": 1, "host": "x"}', "\0\0"])
def test_a_holder_whose_note_is_damaged_still_holds(tmp_path, content):
    study = paths.Study(tmp_path / "a")

    with held(study):
        study.holder.write_text(content)
        with pytest.raises(RunningElsewhere, match="'a' is in use by another process"), held(study):
            pytest.fail("it was held twice")


def test_who_is_refused_a_study_hears_by_which_command_another_has_it(tmp_path):
    study = paths.Study(tmp_path / "a")

    with held(study, doing="sync"), pytest.raises(RunningElsewhere) as refused, held(study):
        pytest.fail("it was held twice")

    assert f"'a' is in use by process {os.getpid()} on {socket.gethostname()} (hpsearch sync)" in str(refused.value)


@pytest.mark.parametrize(("said", "running"), [({"doing": "repair"}, False), ({"doing": "run"}, True), ({}, True)])
def test_who_holds_a_study_runs_it_unless_its_note_says_otherwise(tmp_path, said, running):
    study = paths.Study(tmp_path / "a")

    with held(study):
        note = json.loads(study.holder.read_text())
        del note["doing"]
        study.holder.write_text(json.dumps(note | said))
        found = is_running(study)

    assert found is running
    assert not is_running(study)


@pytest.mark.parametrize("take_away", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("b"))])
def test_who_waits_for_a_study_whose_folder_is_taken_away_is_told_to_try_again(tmp_path, monkeypatch, take_away):
    study = paths.Study(tmp_path / "a")
    monkeypatch.setattr("hpsearch.study.PATIENCE", 60.0)

    with held(study):
        threading.Timer(0.1, take_away, [study.folder]).start()
        with pytest.raises(FolderUnusable, match="moved or removed just now\n  give the same command"), held(study):
            pytest.fail("it was held")


@pytest.mark.promise("41")
def test_of_two_that_run_one_study_because_its_lock_was_removed_one_stops_and_no_result_is_lost_or_twice(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=8, epochs=20, epoch_seconds=0.05)
    first = arena.start()
    arena.wait_for(4)

    arena.ledger.with_name("lock").unlink()
    second = arena.start()

    assert {first.wait(60), second.wait(60)} == {0, 5}, arena.output.read_text()
    assert "another process writes to it too, since the study's lock was removed" in arena.output.read_text()
    records = arena.story()
    wrong = [*history.doubled(records), *history.miscounted(records, arena.trials), *history.damaged(arena.ledger)]
    assert wrong == []
