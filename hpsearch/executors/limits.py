"""What one attempt may take at most: time, silence and memory."""

from dataclasses import dataclass
from pathlib import Path

from hpsearch.experiment import Train, seconds, size
from hpsearch.trial import Failure

STARVED = 0.9  # of its memory limit: one that was killed there has run out of memory
OWN = ("Private_Dirty:", "Private_Hugetlb:")


@dataclass(frozen=True)
class Limits:
    """The most one attempt may take: seconds in all, seconds without a word, bytes of its own; None is no limit."""

    seconds: float | None = None
    silence: float | None = None
    memory: int | None = None

    @classmethod
    def of(cls, train: Train) -> "Limits":
        """The limits that an experiment's [train] sets."""
        return cls(
            seconds(train.trial_timeout) if train.trial_timeout else None,
            seconds(train.stall_timeout) if train.stall_timeout else None,
            size(train.trial_memory) if train.trial_memory else None,
        )

    def broken(self, lasted: float, silent: float, held: int) -> Failure | None:
        """The failure of an attempt that took so many seconds, said nothing for so many, and holds so many bytes."""
        if self.seconds is not None and lasted > self.seconds:
            return Failure("timeout", f"it was not done after {self.seconds:g} s (train.trial_timeout)")
        if self.silence is not None and silent > self.silence:
            return Failure("stall", f"it gave no sign of life for {self.silence:g} s (train.stall_timeout)")
        if self.memory is not None and held > self.memory:
            return Failure("oom", f"it held more than {self.memory / 1e6:,.0f} MB (train.trial_memory)")
        return None

    def starved(self, held: int) -> bool:
        """Whether a process that was killed while it held so many bytes most likely ran out of memory."""
        return self.memory is not None and held >= STARVED * self.memory


def own_bytes(pid: int) -> int:
    """The bytes of memory that a process alone has, and that nobody could take from it; 0 when it is gone.

    Not its address space, of which TensorFlow reserves gigabytes, nor what it shares with the process it was
    forked from; nor `Private_Clean`, the pages of files that only this process maps just now: the images would count
    as soon as it is the last one that reads them. See smaps_rollup in proc(5); elsewhere psutil's USS, or all that it
    has in memory where that is not told.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return _elsewhere(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(OWN))


def _elsewhere(pid: int) -> int:
    import psutil

    try:
        process = psutil.Process(pid)
        try:
            return int(process.memory_full_info().uss)
        except psutil.AccessDenied:  # macOS tells it of other processes to root alone
            return int(process.memory_info().rss)
    except psutil.Error:
        return 0
