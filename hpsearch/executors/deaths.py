"""Says what the death of an attempt's process means: a fault of the trial's own, or somebody else's doing."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from hpsearch.trial import Failure
from hpsearch.worker.ending import UNKNOWN_CODE

# Sent by people, by service managers and by the kernel for want of memory: the trial itself may be sound.
FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGALRM", "SIGUSR1", "SIGUSR2"}
CUT = "SIGBUS"  # on Linux what reading a mapped file brings beyond its end
KILLED = -signal.SIGKILL
GROUPS, CONTROLS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def fault(code: int | None, trace: str) -> Failure | None:
    """The failure that an exit code stands for; None where the attempt was lost through no fault of its own.

    `code` is multiprocessing's: minus the signal's number, or None if the process lives; `trace` is faulthandler's.
    """
    if code is None or code == UNKNOWN_CODE:
        return None
    if code >= 0:
        return Failure("exit", f"exit code {code} without a result")
    name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
    if name in FROM_OUTSIDE:
        return None
    if name == CUT and sys.platform == "linux":
        return Failure("data", f"signal {-code} ({name}): a file that it maps was cut short, or its disk failed", trace)
    return Failure(f"signal {-code} ({name})", "its process crashed", trace)


class OutOfMemory:
    """Tells whether Linux killed a process of ours for want of memory, by the count that control groups keep."""

    def __init__(self) -> None:
        """Begin from the count as it stands."""
        self._explained = _kills()

    def explains(self, code: int | None) -> bool:
        """Whether this exit code is that of a process so killed; each kill explains one death."""
        killed = code == KILLED and _kills() > self._explained
        self._explained += killed
        return killed


def _kills() -> int:
    return sum(_count(file) for file in _files())


def _files() -> Iterator[Path]:
    """Where this process's control groups count: memory.events in version 2, memory.oom_control in version 1.

    A container often shows its own group as the top one.
    """
    for line in _read(GROUPS).splitlines():
        _, kinds, group = line.split(":", 2)
        if not kinds:
            places = [CONTROLS / group.lstrip("/") / "memory.events", CONTROLS / "memory.events"]
        elif "memory" in kinds.split(","):
            top = CONTROLS / "memory"
            places = [top / group.lstrip("/") / "memory.oom_control", top / "memory.oom_control"]
        else:
            continue
        yield from [place for place in places if place.exists()][:1]


def _count(file: Path) -> int:
    found = [line.split() for line in _read(file).splitlines() if line.startswith("oom_kill ")]
    return int(found[0][1]) if found else 0


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
