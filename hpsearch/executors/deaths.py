"""Says what the death of an attempt's process means: a fault of the trial's own, or somebody else's doing."""

import signal
import sys

from hpsearch import control_groups
from hpsearch.trial import Failure

# Sent by people, by service managers and by the kernel for want of memory: the trial itself may be sound.
FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGALRM", "SIGUSR1", "SIGUSR2"}
CUT = "SIGBUS"  # on Linux what reading a mapped file brings beyond its end
KILLED = -9  # by SIGKILL, which Windows does not know


def fault(code: int | None, trace: str) -> Failure | None:
    """The failure that an exit code stands for; None where the attempt was lost through no fault of its own.

    `code` is multiprocessing's: minus the signal's number, or None where nobody knows; `trace` is faulthandler's.
    """
    if code is None:
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
        self._explained = control_groups.kills()

    def explains(self, code: int | None) -> bool:
        """Whether this exit code is that of a process so killed; each kill explains one death."""
        killed = code == KILLED and control_groups.kills() > self._explained
        self._explained += killed
        return killed
