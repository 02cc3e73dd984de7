"""Says which process holds a study, so surely that a signal may be sent to it, and what for."""

import json
import os
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hpsearch.files import write_text

RUN = "run"  # the command whose sessions are told of; others hold a study for a while, and change no trial of it
BOOT = Path("/proc/sys/kernel/random/boot_id")
START = 19  # of the fields of /proc/PID/stat after the name: when the process began, in ticks since the machine did


@dataclass(frozen=True)
class Holder:
    """A process, as no other is: numbers of processes come again, its beginning within one run of a machine does not.

    `started` counts ticks since the machine's start on Linux, elsewhere seconds since 1970; 0 where nobody knows.
    `doing` is the command by which it holds the study.
    """

    pid: int
    host: str
    boot: str = ""
    started: float = 0.0
    doing: str = field(default=RUN, compare=False)

    @classmethod
    def me(cls, doing: str = RUN) -> "Holder":
        """The process that asks."""
        return cls(os.getpid(), socket.gethostname(), _boot(), _started(os.getpid()), doing)

    @property
    def here(self) -> bool:
        """Whether it is a process of this machine, as it runs now."""
        return self.host == socket.gethostname() and self.boot == _boot()

    @property
    def lives(self) -> bool:
        """Whether that very process, and no other of its number, runs here."""
        return self.here and self.started != 0 and self.started == _started(self.pid)

    def __str__(self) -> str:
        """Name it for people."""
        return f"process {self.pid} on {self.host}"


def sign(path: Path, doing: str) -> None:
    """Write down that this process holds the study, and by which command."""
    write_text(path, json.dumps(asdict(Holder.me(doing))))


def withdraw(path: Path) -> None:
    """Take the note of this process away; another's stays, which holds the study too where its lock was removed."""
    if read(path) == Holder.me():
        path.unlink(missing_ok=True)


def read(path: Path) -> Holder | None:
    """Who signed last; None if nobody did, or not in words that can be understood."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        pid, host, boot, started = int(said["pid"]), str(said["host"]), str(said["boot"]), float(said["started"])
        return Holder(pid, host, boot, started, str(said.get("doing", RUN)))  # which earlier notes do not say
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _boot() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return _started_elsewhere(pid)
    return 0.0 if fields[0] == b"Z" else float(fields[START])  # a zombie has ended, whether or not anybody has heard


def _started_elsewhere(pid: int) -> float:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
