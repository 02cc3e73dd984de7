"""Marks a process that is spawned, so that what it starts is found by its environment when nothing else leads to it.

An environment is inherited whatever session a process moves to and whoever adopts it, and psutil reads it on every
system. Only a program that is started with an environment of its own making escapes.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from hpsearch.worker import orphans


@dataclass(frozen=True)
class Mark:
    """The name of a variable that only what one process started has, save `spared`: this process's other children.

    One that another thread started in that very moment has it too, by accident.
    """

    name: str
    spared: frozenset[psutil.Process]


@contextlib.contextmanager
def marking() -> Iterator[str]:
    """Within, what is started here bears the mark of this name."""
    name = f"HPSEARCH_BY_{secrets.token_hex(8)}"
    os.environ[name] = "1"
    try:
        yield name
    finally:
        del os.environ[name]


def mark_of(pid: int, name: str) -> Mark:
    """Give the mark of the process that has just been started under this name."""
    return Mark(name, frozenset(child for child in psutil.Process().children() if child.pid != pid))


def end_marked(mark: Mark) -> None:
    """Kill all that bear the mark, but what belongs to a spared one; their own process is gone."""
    for _ in range(orphans.ROUNDS):
        if not (found := list(_bearers(mark))):
            return
        orphans.kill(found)


def _bearers(mark: Mark) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it is gone, or somebody else's
            bears = process.pid != os.getpid() and mark.name in process.environ()
            if bears and orphans.lives(process) and mark.spared.isdisjoint({process, *process.parents()}):
                yield process
