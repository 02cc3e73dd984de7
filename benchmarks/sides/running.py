"""Runs one side's command in processes of its own, follows its diary, and ends it when enough is known."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import psutil

from hpsearch.worker.tether import die_with_parent
from runs import Broken
from sides.job import Diary, Entry, Job
from sides.via_hpsearch import LedgerDiary

HERE = Path(__file__).parents[1]
GLANCE_SECONDS = 0.2
GRACE_SECONDS = 20.0
PEERS: dict[str, tuple[str, dict[str, Any]]] = {  # module, and what its job says; Ray has a worker for each core
    "keras-tuner": ("sides.via_keras_tuner", {}),
    "keras": ("sides.via_keras", {}),
    "keras-steps": ("sides.via_keras", {"algorithm": "steps"}),
    "optuna": ("sides.via_optuna", {}),
    "optuna-2": ("sides.via_optuna", {"processes": 2}),
    "ray": ("sides.via_ray", {}),
    "one-thread": ("sides.one_thread", {}),
}


NEEDS = {"ray": "ray", "keras-tuner": "tensorboard"}


class News(Protocol):
    """A diary, or something that reads like one."""

    def news(self) -> list[Entry]:
        """The entries since the last time."""


@dataclass(frozen=True)
class Ran:
    """What became of a command: entries with their seconds since its start, how long it ran, and why it ended."""

    entries: list[Entry]
    seconds: float
    ended: str


def heed_signals() -> None:
    """Let SIGTERM and a closed terminal end this program as Ctrl-C does, so that a side under way ends with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has a closed terminal ignored
            signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def possible(sides: Sequence[str]) -> list[str]:
    """The sides ("ray", "ray:tpe") whose packages are installed; what is left out is said."""
    lacking = {side: need for side in sides if (need := NEEDS.get(side.partition(":")[0])) and not find_spec(need)}
    for side, need in lacking.items():
        print(f"{side} is left out: {need} is not installed (make peers)", file=sys.stderr)
    return [side for side in sides if side not in lacking]


def run_peer(name: str, job: Job, enough: Callable[[Entry], bool], limit: float) -> Ran:
    """Run a peer on a job; raise Broken, with the end of what it wrote, when its command fails."""
    module, changes = PEERS[name]
    path = Path(job.project) / "job.json"
    job.with_(**changes).save(path)
    return follow([sys.executable, "-m", module, str(path)], Path(job.project), Diary(job.diary), enough, limit)


def run_hpsearch(experiment: Path, project: Path, enough: Callable[[Entry], bool], limit: float) -> Ran:
    """Run the real program on an experiment file; raise Broken, as above."""
    command = [sys.executable, "-m", "hpsearch", "run", str(experiment), "--plain"]
    return follow(command, project, LedgerDiary(project), enough, limit)


def follow(command: list[str], project: Path, diary: News, enough: Callable[[Entry], bool], limit: float) -> Ran:
    """Run a command until it ends, an entry is enough, or `limit` seconds are over; raise Broken if it fails."""
    log = project / "output.txt"
    began, entries, ended = time.time(), list[Entry](), ""
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(  # noqa: S603  our own command
            command, cwd=project, env=_surroundings(project), stdout=out, stderr=out, start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  this program has no threads; a side left over would search on
        )  # fmt: skip
        try:
            while not ended:
                running = process.poll() is None  # asked before the diary is read, so that nothing is missed
                fresh = [entry | {"seconds_in": entry["time"] - began} for entry in diary.news()]
                entries += fresh
                ended = _reason(fresh, enough, running=running, late=time.time() - began > limit)
                time.sleep(0 if ended else GLANCE_SECONDS)
            seconds = time.time() - began
        finally:
            _end(process)
    if ended == "by itself" and process.returncode:
        text = log.read_text(encoding="utf-8", errors="replace")[-3000:]
        message = f"{' '.join(command[1:4])} ended with code {process.returncode}\n{text}"
        raise Broken(message)
    return Ran(entries, seconds, ended)


def _reason(fresh: list[Entry], enough: Callable[[Entry], bool], *, running: bool, late: bool) -> str:
    if any(map(enough, fresh)):
        return "enough"
    if not running:
        return "by itself"
    return "limit" if late else ""


def _surroundings(project: Path) -> dict[str, str]:
    """The project first, so that every side finds the space; then the benchmarks and what was there before."""
    paths = [str(project), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Tell the command to end, and kill whatever of it is left after a while."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()  # not SIGINT, which a shell may have had ignored
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    process.kill()
    process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    while any(map(_lives, family)):
        time.sleep(GLANCE_SECONDS)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # an orphan may stay listed where nobody reaps it
    except psutil.NoSuchProcess:
        return False
