"""The control groups that hold this process on Linux: what they let it use, and what they count.

A limit holds for all below it, so that those of the groups above count too: systemd nests scopes in slices, a batch
system steps in jobs. See cgroups(7), and cgroup-v2.rst and cgroup-v1/ in Linux's Documentation/admin-guide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

MEMBERSHIP, MOUNTED = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
LIMITS = {1: ("memory.limit_in_bytes",), 2: ("memory.max", "memory.high")}  # beyond `high` it is all but stopped
USED = {1: "memory.usage_in_bytes", 2: "memory.current"}
CACHED = {1: ("total_active_file", "total_inactive_file"), 2: ("active_file", "inactive_file")}
KILLS = {1: "memory.oom_control", 2: "memory.events"}


@dataclass(frozen=True)
class _Group:
    """One control group: its folder, and the version of Linux's interface to it."""

    folder: Path
    version: Literal[1, 2]

    def says(self, name: str) -> str:
        """What one of its files says; "" where it has none of that name."""
        return _text(self.folder / name)

    def counts(self, name: str) -> dict[str, int]:
        """What one of its files says that has a word and a number on each line."""
        lines = (line.split() for line in self.says(name).splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}  # noqa: PLR2004


def quotas() -> Iterator[float]:
    """How many cores' time each limit allows."""
    for group in _groups("cpu"):
        if group.version == 1:
            quota, period = group.says("cpu.cfs_quota_us"), group.says("cpu.cfs_period_us")
        else:
            quota, _, period = group.says("cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():  # else there is none: "max", or -1
            yield int(quota) / int(period)


def rooms() -> Iterator[int]:
    """How many bytes of memory each limit leaves; the file cache, which Linux takes back first, is left too."""
    for group in _groups("memory"):
        limits = [int(said) for name in LIMITS[group.version] if (said := group.says(name)).isdigit()]
        if limits:
            used, counts = group.says(USED[group.version]), group.counts("memory.stat")
            cached = sum(counts.get(name, 0) for name in CACHED[group.version])
            yield min(limits) - max(0, int(used or 0) - cached)


def kills() -> int:
    """How many processes Linux has killed for want of memory, by the nearest group that counts them."""
    counted = (group.counts(KILLS[group.version]).get("oom_kill") for group in _groups("memory"))
    return next((count for count in counted if count is not None), 0)


def _groups(controller: str) -> Iterator[_Group]:
    """The groups that hold this process by a controller ("cpu", "memory"): its own first, then those above it."""
    for line in _text(MEMBERSHIP).splitlines():
        _, controllers, own = line.split(":", 2)
        if not controllers:
            yield from _upward(MOUNTED, own, 2)
        elif controller in controllers.split(","):
            together = MOUNTED / controllers
            yield from _upward(together if together.is_dir() else MOUNTED / controller, own, 1)


def _upward(top: Path, own: str, version: Literal[1, 2]) -> Iterator[_Group]:
    """A container often shows its own group as the top one, under which its name, or that of one above, is unknown."""
    path = PurePosixPath("/" if ".." in own.split("/") else own)
    for place in (path, *path.parents):
        folder = top / place.relative_to("/")
        if folder.is_dir():
            yield _Group(folder, version)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
