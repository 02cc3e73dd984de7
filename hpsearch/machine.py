"""How much of the machine this process may use: cores, and memory."""

import os

from hpsearch import control_groups


def cores() -> int:
    """Whole cores, one at least, by affinity and by the quotas of control groups."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([mine, *control_groups.quotas()])))


def memory() -> int:
    """Bytes of memory to be had: what the machine has free, or what control groups' limits leave of it."""
    import psutil

    return max(0, min([int(psutil.virtual_memory().available), *control_groups.rooms()]))
