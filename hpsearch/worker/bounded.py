"""Changes what this process may take: less, so that a model file cannot take the machine, or more open files."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MOST_FILES = 10_240  # macOS allows no more where it says that there is no bound (OPEN_MAX of its sys/syslimits.h)


def allow_files() -> None:
    """From now on this process and those that it starts may have more files open, as many workers need.

    Each takes five of the coordinator's, and a shell gives 1,024 on Linux and 256 on macOS, of which any process may
    make more.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Within: the process is ended by SIGXCPU when it computes for longer than this, all of its threads together."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(time.process_time() + seconds) + 1
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def limit_memory(more: int) -> None:
    """From now on a process gets so many bytes more and no others; then what asks for them fails. Linux alone does it.

    What is bounded is its own data, not its addresses: TensorFlow reserves gigabytes of these that it never uses.
    macOS knows the same limit, counts addresses by it, and refuses one below those that it has given already.
    """
    if sys.platform != "linux":
        return
    import resource

    import psutil

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = psutil.Process().memory_info().data + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
