"""Fresh processes start quickly, end for sure, and say how."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import odd_jobs
import psutil
import pytest

from hpsearch.worker import ending, marks, process, starting

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STARTS = """
import subprocess, sys, time
from hpsearch.worker import starting

def wait(line):
    apart = subprocess.Popen(["sleep", "60"], start_new_session=True).pid
    words = ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"]
    line.send([apart, int(subprocess.run(words, capture_output=True, text=True).stdout)])
    time.sleep(60)

if __name__ == "__main__":
    children = [starting.fresh(wait, method="{method}") for _ in range(2)]
    theirs = [pid for _, line in children for pid in line.recv()]
    print(*(child.pid for child, _ in children), *theirs, flush=True)
    {then}
"""


ENDS = """
import sys
from hpsearch.worker import starting

def work(line):
    line.send("done")

if __name__ == "__main__":
    child, line = starting.fresh(work, method="spawn")
    line.recv()
    child.join(30)
    sys.stderr.write(f"ended with {child.exitcode}")
"""


CALLS = """
from multiprocessing.util import get_temp_dir
from hpsearch.worker import process, starting

if __name__ == "__main__":
    starting.warm_up()
    print(process.call(len, "four"), get_temp_dir())
"""


MANY = """
import resource
from hpsearch.worker import starting

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (50, hard))

def work(line):
    line.send("at work")
    line.recv()

if __name__ == "__main__":
    children = [starting.fresh(work) for _ in range(30)]
    print([line.recv() for _, line in children].count("at work"))
"""


BEARING = """
import os, sys
from hpsearch.worker import ending, starting

starting.PRELOAD, starting.PAUSES = sys.argv[1], ()

def wait(line):
    line.send("born")
    line.recv()

if __name__ == "__main__":
    children = []
    try:
        for _ in range(2):
            child, line = starting.fresh(wait)
            children.append((child, line))
            line.recv()
            for folder in sys.argv[2:]:
                os.rmdir(folder)
    except ending.ChildDied as died:
        print(died)
    for child, _ in children:
        child.join(1)
        print("the first one", ending.how_it_died(child))
"""
ABORTS = "import os; os.abort()"
BEARS_ONE = """
import errno, os
from hpsearch.worker.tether import die_with_parent

die_with_parent()
births = iter([os.fork])

def fork():
    for birth in births:
        return birth()
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

os.fork = fork
"""


AS_THE_PROGRAM = """
import os, sys
from hpsearch.__main__ import main
from hpsearch.worker import process

if __name__ == "__main__":
    sys.argv = ["hpsearch", "--version"]
    main()
    print(process.call(os.getcwd, method="spawn"))
"""


class Unpicklable(Exception):
    def __init__(self, where: str, when: str) -> None:
        super().__init__(f"lost {when} {where}")


def where() -> tuple[int, int, bool]:
    return os.getpid(), os.getsid(0), signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def stumble() -> None:
    message = "no such layer"
    raise ValueError(message)


def raise_what_cannot_travel() -> None:
    raise Unpicklable(where="on the way", when="today")


def give_what_cannot_travel() -> Callable[[], None]:
    return lambda: None


def leave() -> None:
    os._exit(7)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_after_forking() -> None:
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    os.abort()


def sleep_apart(line: "Connection[Any, Any]") -> None:
    line.send(subprocess.Popen(["sleep", "60"], start_new_session=True).pid)
    time.sleep(60)


def breed_and_go(line: "Connection[Any, Any]", how: str) -> None:
    """Starts a program and forks a copy in sessions of their own, has a shell leave one behind, tells pids and goes."""
    apart = subprocess.Popen(["sleep", "60"], start_new_session=True).pid
    words = ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"]
    left = int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    if (forked := os.fork()) == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    line.send([apart, left, forked])
    ends = {"well": lambda: None, "exit": lambda: os._exit(3), "abort": os.abort, "kill": killed}
    ends[how]()


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(line: "Connection[Any, Any]") -> None:
    line.send(subprocess.Popen(["sleep", "60"]).pid)
    time.sleep(60)


def has_tensorflow() -> bool:
    return "tensorflow" in sys.modules


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_fresh_process_stands_apart_from_the_terminal(method: starting.Method) -> None:
    pid, session, ignores_interrupts = process.call(where, method=method)

    assert pid != os.getpid()
    assert session == pid
    assert ignores_interrupts


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_forked_process_has_tensorflow_already() -> None:
    assert process.call(has_tensorflow)


def test_a_forked_process_has_not_what_keras_takes_for_plots_and_frames_and_can_import_it() -> None:
    found = process.call(odd_jobs.loaded, "keras", "matplotlib", "pandas", "pydantic", "scipy.optimize", "sklearn")

    assert found == ["keras"]
    assert process.call(odd_jobs.sum_of_a_series) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_what_others_are_forked_from_stays_for_the_next_study_of_this_program() -> None:
    before = process.call(os.getppid)

    ending.end_started()

    assert process.call(os.getppid) == before


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_process_has_the_environment_of_now(method: starting.Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_CHANGED", "before")
    monkeypatch.setenv("HPSEARCH_GONE", "before")
    process.call(bool, method=method)
    monkeypatch.setenv("HPSEARCH_CHANGED", "now")
    monkeypatch.delenv("HPSEARCH_GONE")
    monkeypatch.setenv("HPSEARCH_NEW", "now")

    found = [process.call(os.getenv, f"HPSEARCH_{name}", method=method) for name in ("CHANGED", "GONE", "NEW")]

    assert found == ["now", None, "now"]


def test_an_exception_comes_back_with_its_traceback() -> None:
    with pytest.raises(ValueError, match="no such layer") as caught:
        process.call(stumble)

    assert "in stumble" in caught.value.__notes__[0]


def test_what_cannot_be_pickled_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(RuntimeError, match="lost today on the way"):
        process.call(raise_what_cannot_travel)
    with pytest.raises(Exception, match="pickle"):
        process.call(give_what_cannot_travel)


@pytest.mark.parametrize(("how", "words"), [(leave, "exit code 7"), (crash, "SIGSEGV")])
def test_a_process_that_dies_says_how(how: Callable[[], None], words: str) -> None:
    with pytest.raises(ending.ChildDied, match=words):
        process.call(how)


@pytest.mark.promise("20", "22")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_the_death_of_a_process_is_heard_of_though_a_copy_of_it_lives(method: starting.Method) -> None:
    with pytest.raises(ending.ChildDied, match="SIGABRT"):
        process.call(crash_after_forking, method=method, patience=20)


@pytest.mark.promise("22")
def test_killing_a_process_kills_what_it_started() -> None:
    child, line = starting.fresh(sleep)
    grandchild = line.recv()

    ending.kill(child)

    assert not child.is_alive()
    assert _gone(grandchild)
    with pytest.raises(EOFError):
        line.recv()


@pytest.mark.promise("8", "22")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts them")
def test_killing_a_process_kills_what_it_started_in_a_session_of_its_own(method: starting.Method) -> None:
    child, line = starting.fresh(sleep_apart, method=method)
    grandchild = line.recv()

    ending.kill(child)

    assert _gone(grandchild)


@pytest.mark.promise("22")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.parametrize("how", ["well", "exit", "abort", "kill"])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has setsid")
def test_what_a_process_started_ends_with_it_however_it_went(method: starting.Method, how: str) -> None:
    child, line = starting.fresh(breed_and_go, how, method=method)
    bred = line.recv()
    assert _gone(child.pid)  # without `join`, for which the copy lives too

    ending.kill(child)

    assert [pid for pid in bred if not _gone(pid)] == []


@pytest.mark.promise("22")
def test_what_another_thread_starts_while_a_process_is_born_is_spared_when_that_one_ends() -> None:
    with marks.marking() as name:
        marked = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True)
        by_accident = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True)
    mark = marks.mark_of(marked.pid, name)
    theirs, spared = _child_of(marked), _child_of(by_accident)
    unmarked = subprocess.Popen(["sleep", "60"])
    marked.kill()
    marked.wait()

    marks.end_marked(mark)

    assert _gone(theirs)
    assert by_accident.poll() is unmarked.poll() is None
    assert psutil.Process(spared).status() != psutil.STATUS_ZOMBIE
    for pid in (spared, by_accident.pid, unmarked.pid):
        os.kill(pid, signal.SIGKILL)
    by_accident.wait()
    unmarked.wait()


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_process_that_has_done_its_work_ends_at_once_with_its_last_words(method: starting.Method) -> None:
    said, into = multiprocessing.Pipe(duplex=False)

    done, line = starting.fresh(odd_jobs.laden, method=method, output=into)
    into.close()

    assert line.recv() == "loaded"
    done.join(20)
    assert done.exitcode == 0
    assert os.read(said.fileno(), 100) == b"last words"


def test_a_process_ends_well_though_its_output_is_closed(tmp_path: Path) -> None:
    ends = tmp_path / "ends.py"
    ends.write_text(ENDS, encoding="utf-8")

    words = ["sh", "-c", 'exec "$0" "$1" >&-', sys.executable, str(ends)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)

    assert said.stderr == "ended with 0"


def test_processes_start_under_a_folder_for_temporary_files_of_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    (tmp_path / "calls.py").write_text(CALLS, encoding="utf-8")

    words = [sys.executable, str(tmp_path / "calls.py")]
    environment = _without_tensorflow(tmp_path) | {"TMPDIR": str(folder)}
    said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=200, check=False)

    assert said.stderr == ""
    result, place = said.stdout.split()
    assert result == "4"
    assert not Path(place).exists()


def test_more_processes_start_than_a_shell_allows_open_files(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(MANY, encoding="utf-8")

    words, environment = [sys.executable, str(tmp_path / "many.py")], _without_tensorflow(tmp_path)
    said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=200, check=False)

    assert (said.stdout, said.stderr) == ("30\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
@pytest.mark.parametrize(
    ("preload", "words"),
    [
        (ABORTS, "was killed by SIGABRT\n  see why: python -c 'import tensorflow' "),
        (BEARS_ONE, "ended with exit code 1\n  if it could fork no more: raise ulimit -u, "),
    ],
    ids=["while it imports TensorFlow", "at a birth"],
)
def test_what_ended_the_process_that_others_are_forked_from_is_told(tmp_path: Path, preload: str, words: str) -> None:
    (tmp_path / "bearing.py").write_text(BEARING, encoding="utf-8")
    (tmp_path / "preloaded.py").write_text(preload, encoding="utf-8")

    told = [sys.executable, str(tmp_path / "bearing.py"), "preloaded"]
    environment = _without_tensorflow(tmp_path)
    said = subprocess.run(told, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout

    assert said.startswith(f"no process could be started: the one that others are forked from {words}")
    lost = "the first one was lost with the process it was forked from, which ended with exit code 1\n"
    assert said.endswith(lost) == (preload == BEARS_ONE)


def test_who_deletes_the_folder_of_the_shell_ends_no_process_with_it(tmp_path: Path) -> None:
    (tmp_path / "bearing.py").write_text(BEARING, encoding="utf-8")
    here = tmp_path / "here"
    here.mkdir()

    told = [sys.executable, str(tmp_path / "bearing.py"), starting.PRELOAD, str(here)]
    environment = _without_tensorflow(tmp_path)
    said = subprocess.run(
        told, cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False
    ).stdout

    assert said.startswith("no process could be started: the folder that you are in was deleted\n")
    assert said.endswith("the first one is still running\n")


@pytest.mark.promise("26")
def test_a_call_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ending.ChildDied, match=r"was not done after 0\.5 s"):
        process.call(time.sleep, 60, patience=0.5)


@pytest.mark.promise("8", "22")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which takes longer")
def test_a_killed_coordinator_leaves_no_process_behind(method: starting.Method, tmp_path: Path) -> None:
    coordinator, children = _start(tmp_path, "time.sleep(60)", method)

    coordinator.kill()
    coordinator.wait()

    assert all(_gone(pid) for pid in children)


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_forgotten_process_does_not_keep_the_program_from_ending(method: starting.Method, tmp_path: Path) -> None:
    coordinator, children = _start(tmp_path, "pass", method)

    assert coordinator.wait(20) == 0
    assert all(_gone(pid) for pid in children)


def _start(folder: Path, then: str, method: starting.Method) -> tuple["subprocess.Popen[str]", list[int]]:
    script = folder / "coordinator.py"
    script.write_text(STARTS.format(then=then, method=method))
    words, environment = [sys.executable, str(script)], _without_tensorflow(folder)
    coordinator = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert coordinator.stdout
    return coordinator, [int(pid) for pid in coordinator.stdout.readline().split()]


def _without_tensorflow(folder: Path) -> dict[str, str]:
    """The environment of a program where TensorFlow fails to be imported, so that nobody waits for that."""
    (folder / "tensorflow.py").write_text("raise ImportError")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def _child_of(process: "subprocess.Popen[bytes]") -> int:
    for _ in range(200):
        if children := psutil.Process(process.pid).children():
            return children[0].pid
        time.sleep(0.05)
    raise TimeoutError


def _gone(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_spawned_process_never_hears_ctrl_c_not_even_while_it_starts():
    spawned, line = starting.fresh(odd_jobs.warm, None, method="spawn")

    os.kill(spawned.pid, signal.SIGINT)

    with line:
        assert line.recv() is False
    spawned.join(10)
    assert spawned.exitcode == 0


@pytest.mark.promise("P22")
def test_a_process_that_trains_has_nothing_of_mlflow():
    assert process.call(odd_jobs.loaded, "mlflow", "hpsearch.trackers", "hpsearch.follower") == []


@pytest.mark.promise("P23", "H43")
def test_a_file_of_the_shells_folder_shadows_no_module_of_python_in_any_process(tmp_path: Path) -> None:
    here, program = tmp_path / "here", tmp_path / "bin" / "program.py"
    here.mkdir()
    program.parent.mkdir()
    program.write_text(AS_THE_PROGRAM)
    for name in ("json", "socket", "random", "tempfile", "signal", "struct", "pickle", "multiprocessing"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nraise SystemExit\n")

    done = subprocess.run([sys.executable, program], cwd=here, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[1:] == [str(here)], done.stderr
    assert not (tmp_path / "canary").exists()
