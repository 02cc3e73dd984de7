"""How many one-thread workers this machine can hold: by the cores and the memory this process may use."""

import os
from pathlib import Path
from typing import Literal

WORKER_BYTES = 1_000_000_000
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def workers(count: int | Literal["auto"]) -> int:
    """The number asked for, or as many as cores and memory (about 1 GB each) allow, at least one."""
    return count if isinstance(count, int) else max(1, min(cores(), memory() // WORKER_BYTES))


def cores() -> int:
    """Cores by affinity and by the control group's quota."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CPU_QUOTA).partition(" ")
    return min(mine, max(1, int(quota) // int(period))) if quota.isdigit() and period.isdigit() else mine


def memory() -> int:
    """Bytes of memory to be had, by the machine and by the control group."""
    import psutil

    available = int(psutil.virtual_memory().available)
    limit = _read(MEMORY_LIMIT)
    return min(available, int(limit)) if limit.isdigit() else available


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
