"""Says which process holds a study, so surely that a signal may be sent to it, and what for."""

import ctypes
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hpsearch.files import write_text

RUN = "run"  # the command whose sessions are told of; others hold a study for a while, and change no trial of it
BOOT, NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
BOOT_OF_MACOS = b"kern.bootsessionuuid"  # of sysctl(3)
START = 19  # of the fields of /proc/PID/stat after the name: when the process began, in ticks since the machine did


@dataclass(frozen=True)
class Holder:
    """A process, as no other is: numbers of processes come again, its beginning within one run of a machine does not.

    `boot` tells one run of a machine from all others, and a container's numbers of processes from those of its host; ""
    where nobody knows. `host` is for people: the name of a machine changes, as that of a Mac does with the network.
    `started` counts ticks since the machine's start on Linux, elsewhere seconds since 1970; 0 where nobody knows.
    `doing` is the command by which it holds the study.
    """

    pid: int
    host: str = field(compare=False)
    boot: str = ""
    started: float = 0.0
    doing: str = field(default=RUN, compare=False)

    @classmethod
    def me(cls, doing: str = RUN) -> "Holder":
        """The process that asks."""
        return cls(os.getpid(), socket.gethostname(), _boot(), _started(os.getpid()), doing)

    @property
    def lives(self) -> bool:
        """Whether that very process, and no other of its number, runs here."""
        boot = _boot()
        here = self.boot == boot if boot else self.host == socket.gethostname()
        return here and self.started != 0 and self.started == _started(self.pid)

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
    if sys.platform == "darwin":
        return _boot_of_macos()
    try:
        return f"{BOOT.read_text(encoding='ascii').strip()} {NAMESPACE.readlink()}"
    except OSError:
        return ""


def _boot_of_macos() -> str:
    text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    failed = ctypes.CDLL(None).sysctlbyname(BOOT_OF_MACOS, text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode("ascii")


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
