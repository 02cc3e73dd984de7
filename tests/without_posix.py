"""Imports every module of hpsearch and prepares a data set where what only POSIX has is gone; for test_without_posix.

What other packages take of it stays theirs: on Windows they have their own ways, so they are imported before.
"""

import errno
import fcntl
import importlib
import multiprocessing.context
import os
import pkgutil
import signal
import stat
import sys
from pathlib import Path

import filelock  # noqa: F401  # it asks the system when it is imported, and so do the next
import keras_tuner  # noqa: F401
import numpy as np
import pandas as pd  # noqa: F401
import platformdirs.unix  # noqa: F401
import psutil  # noqa: F401
import pytest  # noqa: F401
import scipy.ndimage  # noqa: F401

MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
SIGNALS = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}  # that Windows has
CALLS = {
    os: "fork forkpty getegid geteuid getgid getpgid getsid getuid killpg mkfifo sched_getaffinity setsid statvfs",
    signal: "alarm pthread_kill pthread_sigmask setitimer siginterrupt sigwait",
}
FORKSERVERS = "hpsearch.worker.preload"  # what it does when it is imported is for a forkserver, which Windows has not


def take_away() -> None:
    """Leave Python as it is where there is no POSIX, and fsync as Windows has it."""
    durable, flags = os.fsync, fcntl.fcntl

    def fsync(number: int) -> None:
        regular = stat.S_ISREG(os.fstat(number).st_mode)
        if regular and flags(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        durable(number)

    os.fsync = fsync
    for module, calls in CALLS.items():
        for call in calls.split():
            if hasattr(module, call):
                delattr(module, call)
    del multiprocessing.context.ForkServerContext
    for name in [name for name in vars(signal) if name.startswith("SIG") and name not in SIGNALS]:
        delattr(signal, name)
    sys.modules |= dict.fromkeys(MODULES)  # importing one of them is an ImportError now


def import_all() -> None:
    """Import all that hpsearch has."""
    import hpsearch

    for module in pkgutil.walk_packages(hpsearch.__path__, "hpsearch."):
        if module.name != FORKSERVERS:
            importlib.import_module(module.name)


def write_all(folder: Path) -> None:
    """Prepare a data set, and write a folder and a file as a run does."""
    from hpsearch import disk, files
    from hpsearch.datasets.mnist_5k import MNIST5k

    prepared = MNIST5k().prepare(lambda _what, _done, _total: None)
    files.write_folder(folder / "copy", lambda new: np.save(new / "labels.npy", np.arange(prepared.train_rows)))
    files.write_text(folder / "note.txt", disk.whoami())


if __name__ == "__main__":
    take_away()
    import_all()
    write_all(Path(sys.argv[1]))
