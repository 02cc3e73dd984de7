"""Ctrl-C, SIGTERM, a closed terminal and `hpsearch stop` end a run as is meant, and leave nothing behind."""

import errno
import io
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, nullcontext, suppress

import chaos
import click
import history
import psutil
import pytest
from commands import BUILD, environment, hpsearch
from test_chaos import failing
from test_faults import gone
from waiting import wait_until
from written import file_of, seven

from hpsearch.__main__ import main
from hpsearch.cli.run import _Place, _set_aside
from hpsearch.cli.serving import terminated_as_interrupted
from hpsearch.datasets.pictures import opened
from hpsearch.errors import Interrupted, RunningElsewhere
from hpsearch.files import make
from hpsearch.holding import Holder, read
from hpsearch.leaving import ECHO_SECONDS, AtOnce, Outlasting, told_to_leave
from hpsearch.ledger import Ledger
from hpsearch.paths import Project, Study
from hpsearch.records import AttemptBegan, SessionEnded
from hpsearch.study import held, is_held

LONG = ["run", "experiments/digits.toml", "--set", "train.epochs=4000", "--set", "tracking.mlflow=false"]
LONG += ["--set", "train.compile=false", "--set", "workers.count=1"]
CLOSING = """
import sys
from pathlib import Path
from fake_workers import Fake
from hpsearch import paths
from hpsearch.__main__ import main
from hpsearch.study import is_held

class Watched(Fake):
    def close(self):
        print("closed while the study is held:", is_held(paths.Project.around(Path.cwd()).study("tiny")), flush=True)
        super().close()

import fake_workers
fake_workers.Fake = Watched
sys.exit(main(["run", "tiny.toml", "--plain"]))
"""
REMOVING = """
import shutil, sys
from contextlib import closing
from pathlib import Path
import fake_workers
from hpsearch.__main__ import main
from hpsearch.ledger import Ledger
from hpsearch.records import SessionEnded

class Removed(fake_workers.Dots):
    def prepare(self, progress):
        folder = Path("mlruns/studies/tiny")
        shutil.rmtree(folder)
        if ANEW:  # by another process
            folder.mkdir()
            with closing(Ledger(folder / "ledger.db")) as ledger:
                ledger.write(SessionEnded(finished=False, reason="another"), durable=True)
        return super().prepare(progress)

fake_workers.Dots = Removed
sys.exit(main(["run", "tiny.toml", "--plain"]))
"""
LEFT_BEHIND = """
import os, pty, sys, threading
from hpsearch.__main__ import main

ours, theirs = pty.openpty()
for stream in (0, 1, 2):
    os.dup2(theirs, stream)
os.close(theirs)

def close_after_a_trial():
    said = b""
    while b"completed" not in said:
        said += os.read(ours, 1000)
    os.close(ours)

threading.Thread(target=close_after_a_trial, daemon=True).start()
sys.exit(main(["run", "tiny.toml", *WORDS]))
"""
INTERRUPTING = """
import os, signal, sys
from hpsearch.__main__ import main
from hpsearch.trackers.plain_lines import PlainLines

class Interrupting(PlainLines):
    left = TIMES

    def hear(self, news):
        while self.left and type(news.body).__name__ == "KIND":
            self.left -= 1
            os.kill(os.getpid(), signal.SIGINT)

    def close(self):
        print("the watcher is closed", flush=True)

import hpsearch.trackers.plain_lines
hpsearch.trackers.plain_lines.PlainLines = Interrupting
sys.exit(main(["run", "tiny.toml", "--plain"]))
"""
SLOW = """
import signal, time
from hpsearch.worker.tether import die_with_parent
die_with_parent(signal.SIGTERM)
time.sleep(300)
"""
WAITING = """
from hpsearch.worker import starting
starting.PRELOAD = "slow"
starting.warm_up()
print("waiting", flush=True)
try:
    starting.fresh(print)
except KeyboardInterrupt:
    print("heard", flush=True)
"""
LEAVING_UNREAD = """
import os, signal, sys
from hpsearch.leaving import outlast_readers, told_to_leave

outlast_readers()
with told_to_leave() as leave:
    leave.politely = True
    os.kill(os.getpid(), signal.SIGINT)
    print("heard", flush=True)
    sys.stdin.read()
    print("a trial has ended", file=sys.stderr)
    print("how to go on", flush=True)
sys.exit(leave.exit_code)
"""
INTERRUPTED = """
import sys
from hpsearch import leaving

def heard(frame, event, _):
    if event == "return" and frame.f_code.co_name == "write" and frame.f_code.co_filename == leaving.__file__:
        sys.setprofile(None)
        raise leaving.AtOnce

leaving.outlast_readers()
sys.setprofile(heard)
try:
    print("<1>", flush=True)
except leaving.AtOnce:
    print("<heard>", flush=True)
"""
STOPPED_UNREAD = """
import os, signal, sys
from hpsearch.__main__ import main
from hpsearch.cli.studies import list_studies

def listing(**_words):
    print("heard", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)

list_studies.callback = listing
sys.exit(main(["list"]))
"""
HANGS = BUILD.replace("    print(", "    import time; open('hangs', 'w').close(); time.sleep(1000)\n    print(")


def start(project, *words, **how):
    return subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=project, env={**environment(project), "TERM": "xterm"}, text=True, **how,
    )  # fmt: skip


def family(process):
    return [one.pid for one in psutil.Process(process.pid).children(recursive=True)]


@pytest.mark.promise("14", "15")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_signal_asks_and_the_second_ends_at_once(name, code):
    with told_to_leave() as leave:
        leave.politely = True
        os.kill(os.getpid(), getattr(signal, name))
        told = leave()

        with pytest.raises(AtOnce):
            os.kill(os.getpid(), signal.SIGINT)

    assert told
    assert leave.exit_code == code


@pytest.mark.promise("15")
def test_a_terminal_that_closes_and_a_shell_that_says_so_too_are_one_wish():
    with told_to_leave() as leave:
        leave.politely = True
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)

    assert leave.exit_code == 129


@pytest.mark.promise("15")
def test_a_sigterm_that_comes_on_two_ways_is_one_wish_and_a_later_one_another():
    with told_to_leave() as leave:
        leave.politely = True
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        told, leave.asked = leave.twice, leave.asked - ECHO_SECONDS

        with pytest.raises(AtOnce):
            os.kill(os.getpid(), signal.SIGTERM)

    assert not told
    assert leave.exit_code == 143


@pytest.mark.promise("14")
def test_where_nothing_is_under_way_one_signal_is_enough():
    with pytest.raises(AtOnce), told_to_leave():
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.promise("14")
def test_a_signal_that_came_while_trials_were_under_way_counts_when_none_is_any_more():
    with told_to_leave() as leave:
        leave.politely = True
        os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(AtOnce):
            leave.at_once_from_here()

    assert not leave.twice


@pytest.mark.promise("15")
@pytest.mark.parametrize(
    ("words", "unbuffered"), [(["--plain"], ""), pytest.param(["--plain"], "1", marks=pytest.mark.long), ([], "")]
)
def test_a_job_that_its_shell_left_behind_goes_on_when_the_terminal_closes(tmp_path, words, unbuffered):
    more = {"TERM": "xterm-256color", "PYTHONUNBUFFERED": unbuffered}
    arena = chaos.Arena(tmp_path / "project", trials=4, epoch_seconds=0.05, more=more)

    code = arena.start("-c", LEFT_BEHIND.replace("WORDS", str(words))).wait(60)

    assert code == 0, arena.story()[-1]
    assert len(history.table(arena.story())) == 4


@pytest.fixture
def closed_terminal():
    """A stream to a terminal that was closed after it was opened."""
    ours, theirs = pty.openpty()
    stream = Outlasting(theirs, waits=False)
    os.close(ours)
    yield stream
    os.close(theirs)


@pytest.mark.promise("15")
def test_no_line_is_too_early_after_a_terminal_has_closed(closed_terminal):
    written = [closed_terminal.write(b"a trial has ended\n") for _ in range(2)]

    assert written == [18, 18]


@pytest.mark.parametrize("told", [True, False])
def test_a_pipe_that_nobody_reads_is_an_error_until_we_are_told_to_leave(told):
    ours, theirs = os.pipe()
    os.close(ours)
    stream = Outlasting(theirs, waits=False)

    with told_to_leave() as leave, nullcontext() if told else pytest.raises(BrokenPipeError):
        leave.exit_code = 130 if told else 0
        stream.write(b"how to go on\n")
    os.close(theirs)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_is_not_written_again_whose_writing_a_signal_broke_off_when_it_was_done(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    words = [sys.executable, "-c", INTERRUPTED]

    told = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert re.findall("<[0-9a-z]+>", told) == ["<1>", "<heard>"]


@pytest.mark.promise("15")
def test_who_did_not_want_to_wait_does_not_wait_because_the_terminal_closes_too():
    with told_to_leave() as leave:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGHUP):
            with suppress(AtOnce):
                os.kill(os.getpid(), number)

    assert leave.twice
    assert leave.exit_code == 130


def test_a_signal_that_nohup_has_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with told_to_leave() as leave:
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert not leave()


class Interrupting(io.StringIO):
    """A stream that is interrupted where click looks at it, and passes over whatever exception comes of that."""

    def isatty(self):
        signal.raise_signal(signal.SIGTERM)
        return False


def printed():
    click.echo("an answer", file=Interrupting())


def unpacked():
    with opened(io.BytesIO(file_of(seven()))):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("work", [printed, unpacked])
def test_a_signal_is_heard_where_every_exception_is_taken_for_another(work):
    with pytest.raises(Interrupted) as told, terminated_as_interrupted():
        work()

    assert told.value.exit_code == 143


@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_ends_what_serves_or_reads_unless_nohup_keeps_it(ignored):
    nohup = signal.SIG_IGN if ignored else signal.SIG_DFL
    before, codes = signal.signal(signal.SIGHUP, nohup), []
    try:
        with suppress(Interrupted), terminated_as_interrupted():
            signal.raise_signal(signal.SIGHUP)
            codes.append("goes on")
        codes.append(signal.getsignal(signal.SIGHUP) is nohup)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert codes == (["goes on", True] if ignored else [True])


@pytest.mark.promise("14", "P15")
def test_ctrl_c_on_a_terminal_leaves_it_clean_and_says_how_to_go_on(project):
    ours, theirs = pty.openpty()
    run = start(project, *LONG, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = read_until(ours, lambda: "building" in "".join(said) or "/4000" in "".join(said), said := [], run)
    left = family(run)

    os.killpg(run.pid, signal.SIGINT)  # as the terminal does for Ctrl-C
    began = time.monotonic()
    shown = read_until(ours, lambda: False, said, run)

    assert run.wait(30) == 130, shown
    assert time.monotonic() - began < 15
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
    unwrapped = re.sub(r"\s+", " ", shown)
    assert f"hpsearch {' '.join(LONG)}" in unwrapped
    assert gone(left)


def read_until(terminal, enough, said, run):
    """What came from the terminal, in all, until that is enough or the program has ended."""
    end = time.monotonic() + 120
    while not enough():
        assert time.monotonic() < end, "".join(said)
        try:
            said.append(os.read(terminal, 65536).decode(errors="replace"))
        except OSError:  # nobody writes any more
            break
    return "".join(said)


@pytest.mark.promise("15", "P15")
def test_ctrl_c_twice_ends_everything_at_once(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=2, epochs=4000)
    run = arena.start()
    arena.wait_for(2)
    left = family(run)
    run.send_signal(signal.SIGINT)
    time.sleep(0.05)

    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    code = run.wait(30)

    said = arena.output.read_text()
    assert code == 130
    assert time.monotonic() - began < 5  # 2 on a machine that has nothing else to do
    assert "to go on" in said or "goes on" in said
    assert "Traceback" not in said
    assert gone(left)
    assert "stopped: interrupted" in hpsearch(arena.folder, "show", "tiny").stdout


@pytest.mark.promise("14", "26")
def test_ctrl_c_while_a_sample_build_hangs_ends_the_program_and_leaves_nothing(project):
    (project / "spaces" / "small.py").write_text(HANGS)
    run = start(project, *LONG, stderr=subprocess.PIPE)
    assert "getting ready" in run.stderr.readline()
    wait_until((project / "hangs").exists)
    left = family(run)

    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, said = run.communicate(timeout=60)

    assert run.returncode == 130, said
    assert time.monotonic() - began < 10
    assert "hpsearch run experiments/digits.toml" in said
    assert not (project / "mlruns" / "studies" / "digits").exists()
    assert gone(left)


@pytest.mark.promise("15", "55")
def test_ctrl_c_twice_ends_a_run_whose_ledger_another_process_has_locked(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=9, epochs=99, epoch_seconds=0.2)
    run = arena.start()
    arena.wait_for(2)
    with closing(sqlite3.connect(arena.ledger, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN EXCLUSIVE")
        wait_until(lambda: "waiting for it" in arena.output.read_text())

        run.send_signal(signal.SIGINT)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        began = time.monotonic()
        code = run.wait(300)

    assert code == 130, arena.output.read_text()
    assert time.monotonic() - began < 20  # 2 on a machine that has nothing else to do, and a minute if it waited
    assert arena.left_over() == []


def test_stop_ends_a_study_from_elsewhere_and_it_can_go_on(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=2, epochs=4000)
    run = arena.start()
    arena.wait_for(2)

    stopped = hpsearch(arena.folder, "stop", "tiny")

    assert "tiny has stopped" in stopped.stdout
    assert run.wait(5) == 143
    assert arena.left_over() == []
    assert "is not running" in hpsearch(arena.folder, "stop", "tiny").stdout
    so_far = arena.trained()
    again = arena.start()
    arena.wait_for(so_far + 1)
    assert "tiny has stopped" in hpsearch(arena.folder, "stop", "tiny").stdout
    assert again.wait(5) == 143


@pytest.mark.parametrize(("doing", "said"), [("run", "digits has stopped"), ("sync", "hpsearch sync of digits has")])
def test_stop_ends_what_holds_a_study_that_ctrl_z_suspended_and_says_what_it_was(tmp_path, doing, said):
    code = "import time; from pathlib import Path; from hpsearch.paths import Study; from hpsearch.study import held\n"
    code += f"with held(Study(Path('mlruns/studies/digits')), doing={doing!r}):\n"
    code += "    print('held', flush=True); time.sleep(300)"
    run = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True)
    assert run.stdout.readline() == b"held\n"
    (tmp_path / "mlruns" / "studies" / "digits" / "ledger.db").touch()
    os.killpg(run.pid, signal.SIGSTOP)

    stopped = hpsearch(tmp_path, "stop", "digits")

    assert stopped.stdout.startswith(said)
    assert run.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"host": "elsewhere", "boot": "another"}, "process {pid} on elsewhere\n"),
        ({"boot": "another"}, "process {pid} on {host}, which cannot be seen from here"),
        ({}, "process {pid} on {host}, which takes no signal from"),
    ],
    ids=["on another machine", "in another container", "of another person"],
)
def test_stop_names_a_holder_that_it_cannot_reach(project, capsys, monkeypatch, other, words):
    def not_permitted(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.chdir(project)
    monkeypatch.setattr(os, "kill", not_permitted)
    folder = Study(make(project / "mlruns" / "studies" / "digits"))
    folder.ledger.touch()

    with held(folder):
        told = json.loads(folder.holder.read_text())
        folder.holder.write_text(json.dumps({**told, **other}))
        code = main(["stop", "digits"])

    said = capsys.readouterr()
    assert code == RunningElsewhere.exit_code
    assert words.format(**told) in said.err
    assert "has stopped" not in said.out


@pytest.mark.promise("17", "41")
def test_a_holder_is_known_by_more_than_its_number(tmp_path):
    folder = Study(make(tmp_path / "a"))
    with held(folder):
        holder, while_held = read(folder.holder), is_held(folder)

    assert while_held
    assert not is_held(folder)
    assert holder == Holder.me()
    assert holder.lives
    assert not Holder(holder.pid, holder.host, holder.boot, holder.started + 1).lives
    assert not Holder(holder.pid, holder.host, "another boot", holder.started).lives


def test_a_holder_is_known_though_its_machine_has_another_name_since(tmp_path, monkeypatch):
    folder = Study(make(tmp_path / "a"))
    with held(folder):
        monkeypatch.setattr("socket.gethostname", lambda: "renamed.local")
        lives = read(folder.holder).lives

    assert lives
    assert not folder.holder.exists()


@pytest.mark.promise("14", "15")
@pytest.mark.parametrize(
    "place",
    [
        "TestOpened.written",
        pytest.param("TestOpened.durable", marks=pytest.mark.long),
        pytest.param("Verdict.written", marks=pytest.mark.long),
        "Verdict.durable",
    ],
)
def test_ctrl_c_while_the_test_split_is_looked_at_is_heeded_and_the_same_command_goes_on(tmp_path, place):
    arena = failing(tmp_path, [f"{place}=sleep:300"])
    arena.trials, arena.epochs = 3, 2
    arena.lay_out()
    run = arena.start()
    counts = tmp_path / "counts" / place  # what a signal keeps from being counted would sleep again
    wait_until(lambda: counts.exists() and counts.stat().st_size)

    run.send_signal(signal.SIGINT)
    code = run.wait(30)
    before = arena.story()

    assert code == 130, arena.output.read_text()
    assert arena.left_over() == []
    assert arena.finish() == 0
    told = [news.body for news in arena.story()]
    assert told[: len(before)] == [news.body for news in before]
    kinds = Counter(type(body).__name__ for body in told)
    finals = [body for body in told if isinstance(body, AttemptBegan) and body.attempt.fit.kind == "final"]
    assert (kinds["TestOpened"], kinds["Verdict"], len(finals)) == (1, 1, 2)
    assert told[-1].finished


@pytest.fixture(scope="module")
def over(tmp_path_factory):
    """A project whose study is over."""
    arena = chaos.Arena(tmp_path_factory.mktemp("over") / "project", trials=1, epochs=1)
    assert arena.finish() == 0
    return arena.folder


def failing_again(folder, over, failpoints):
    """A copy of that project, whose next start meets these failpoints."""
    shutil.copytree(over, folder / "project")
    return failing(folder, failpoints, trials=1, epochs=1)


@pytest.mark.parametrize(("mistake", "code"), [(["--set", "search.start_from=nothing"], 2), ([], 130)])
def test_a_fresh_beginning_that_comes_to_nothing_leaves_the_old_study_in_its_place(tmp_path, over, mistake, code):
    arena = failing_again(tmp_path, over, [] if mistake else ["holdout.npz.filled=sleep:300"])
    before = arena.story()

    run = arena.start(*chaos.RUN, "--fresh", *mistake)
    if not mistake:
        counts = tmp_path / "counts" / "holdout.npz.filled"
        wait_until(lambda: counts.exists() and counts.stat().st_size)
        run.send_signal(signal.SIGINT)

    assert run.wait(60) == code
    said = arena.output.read_text().rpartition("---\n")[2]
    assert "the old one is back in its place" in said
    assert said.rstrip().endswith("hpsearch run tiny.toml --fresh --plain") == (code == 130), said
    assert [study.name for study in arena.ledger.parent.parent.iterdir()] == ["tiny"]
    assert arena.story() == before


def test_a_fresh_beginning_that_was_killed_before_its_first_record_is_not_kept_beside_the_old_study(tmp_path, over):
    arena = failing_again(tmp_path, over, ["holdout.npz.filled=kill"])
    before, studies = arena.ledger.read_bytes(), arena.ledger.parent.parent
    assert arena.start(*chaos.RUN, "--fresh").wait(60) == -signal.SIGKILL
    assert arena.story() == []

    assert arena.start(*chaos.RUN, "--fresh").wait(60) == 0, arena.output.read_text()

    assert sorted(study.name for study in studies.iterdir()) == ["tiny", "tiny.before-1"]
    assert (studies / "tiny.before-1" / "ledger.db").read_bytes() == before


def test_it_is_said_where_the_old_study_stays_when_its_name_is_taken_before_a_new_one_begins(tmp_path, capsys):
    place = _Place(Project(tmp_path), plain=True)
    folder = place.project.study("tiny")
    with closing(Ledger(make(folder.folder) / "ledger.db")) as ledger:
        ledger.write(SessionEnded(finished=False, reason=""), durable=True)

    with _set_aside("tiny", place):
        make(folder.splits)

    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith(f"no new study was begun; the old one stays in {folder.folder}.before-1: ")


def test_what_a_killed_fresh_beginning_set_aside_is_back_when_the_next_one_comes_to_nothing(tmp_path, capsys):
    place = _Place(Project(tmp_path), plain=True)
    folder = place.project.study("tiny")
    make(folder.folder.with_name("tiny.before-9") / "fits")
    make(folder.folder.with_name("tiny.before-10") / "trials")
    with closing(Ledger(make(folder.folder) / "ledger.db")):
        pass

    with _set_aside("tiny", place):
        pass

    assert capsys.readouterr().err.rstrip().endswith("so the old one is back in its place")
    assert sorted(path.name for path in folder.folder.parent.iterdir()) == ["tiny", "tiny.before-9"]
    assert [path.name for path in folder.folder.iterdir()] == ["trials"]


@pytest.mark.promise("14")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("program", [LEAVING_UNREAD, STOPPED_UNREAD])
def test_ctrl_c_that_ends_the_reader_of_a_pipe_too_is_told_by_the_exit_code(program, unbuffered):
    run = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip

    assert run.stdout.readline() == b"heard\n"
    run.stdout.close()
    run.stdin.close()

    assert run.wait(20) == 130


def test_workers_end_before_the_study_can_be_held_by_another(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=1, epochs=1)

    code = arena.start("-c", CLOSING).wait(60)

    said = arena.output.read_text()
    assert code == 0, said
    assert "closed while the study is held: True" in said
    assert said.count("closed while") == 1


@pytest.mark.promise("52", "P6")
def test_a_session_whose_report_finds_no_room_has_not_ended_so_that_the_next_one_tells_mlflow_of_it(tmp_path):
    arena = failing(tmp_path, ["report.html.filled=ENOSPC"])
    arena.trials, arena.epochs = 1, 1
    arena.lay_out()

    code = arena.start().wait(60)

    last = arena.story()[-1].body
    assert code == 7, arena.output.read_text()
    assert not last.finished
    assert re.match("disk full: .*report.html", last.reason)


@pytest.mark.promise("54")
@pytest.mark.parametrize("anew", [False, True])
def test_a_study_that_is_removed_while_its_data_are_prepared_is_not_made_anew(tmp_path, anew):
    arena = chaos.Arena(tmp_path / "project", trials=1, epochs=1)

    code = arena.start("-c", REMOVING.replace("ANEW", str(anew))).wait(60)

    said = arena.output.read_text()
    assert code == 7, said
    assert "ledger.db: removed while the study was running" in said
    assert [news.body.reason for news in arena.story()] == ["another"] * anew
    assert arena.ledger.parent.exists() == anew


@pytest.mark.promise("39")
def test_a_trial_whose_folder_is_deleted_while_it_trains_goes_on(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=2, epochs=30, epoch_seconds=0.05)
    run = arena.start()
    arena.wait_for(8)

    for number, folder in enumerate((arena.ledger.parent / "fits").glob("search-*")):
        folder.rename(tmp_path / str(number))

    assert run.wait(60) == 0, arena.output.read_text()
    assert list(history.miscounted(arena.story(), 2)) == []
    assert max(news.body.attempt.number for news in arena.story() if isinstance(news.body, AttemptBegan)) == 1


@pytest.mark.promise("14")
def test_ctrl_c_while_the_watcher_is_told_what_was_before_ends_the_session_in_form(tmp_path):
    arena = chaos.Arena(tmp_path / "project", trials=1, epochs=1)

    code = arena.start("-c", INTERRUPTING.replace("KIND", "SessionBegan").replace("TIMES", "1")).wait(60)

    said = arena.output.read_text()
    assert code == 130, said
    assert said.count("the watcher is closed") == 1
    last = arena.story()[-1].body
    assert isinstance(last, SessionEnded)
    assert not last.finished


@pytest.mark.promise("15")
@pytest.mark.parametrize("times", [1, 2])
def test_the_last_backup_of_a_ledger_is_not_waited_for_by_who_wants_to_leave_at_once(tmp_path, times):
    arena = chaos.Arena(tmp_path / "project", trials=1)

    code = arena.start("-c", INTERRUPTING.replace("KIND", "Measure").replace("TIMES", str(times))).wait(60)

    assert code == 130, arena.output.read_text()
    assert arena.ledger.with_name("ledger.backup.db").exists() == (times == 1)


@pytest.mark.promise("14")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_ctrl_c_is_heard_while_a_process_waits_for_tensorflow_to_be_imported(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    run = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
    )  # fmt: skip
    assert run.stdout.readline() == "waiting\n"
    time.sleep(0.5)
    left = family(run)

    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=30)

    assert said == "heard\n"
    assert gone(left)
