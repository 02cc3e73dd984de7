"""`hpsearch stop STUDY`: tells the process that holds a study to leave, and waits until it has."""

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths
from hpsearch.leaving import ECHO_SECONDS

if TYPE_CHECKING:
    from hpsearch.errors import RunningElsewhere
    from hpsearch.holding import Holder

POLL_SECONDS, PROGRESS_SECONDS = 0.1, 5.0
SECOND_WORD_SECONDS = 2 * ECHO_SECONDS  # so that two signals are heard as two
KILL_SECONDS = 5.0
EPILOG = """\b
Examples:
  hpsearch stop quickstart
  hpsearch stop quickstart --now

Its trials keep their checkpoints; the command that began the study goes on with it."""


@click.command(epilog=EPILOG)
@click.argument("study")
@click.option("--now", is_flag=True, help="Wait for nothing: trials go back to their last checkpoint.")
def stop(*, study: str, now: bool) -> None:
    """Stop STUDY where it is running, as Ctrl-C does there, and wait until it has gone."""
    from hpsearch.cli.output import say
    from hpsearch.holding import read
    from hpsearch.study import existing, is_held

    folder = existing(paths.Project.around(Path.cwd()), study)
    if not is_held(folder):
        say(f"{study} is not running")
        return
    holder = read(folder.holder)
    if holder and holder.lives:
        try:
            _end(holder, now=now)
        except PermissionError as refused:
            from hpsearch.disk import whoami

            raise _out_of_reach(study, holder, f"which takes no signal from {whoami()}") from refused
    elif is_held(folder):  # else it has ended since it was asked for
        unseen = "which cannot be seen from here, as one in another container cannot"
        raise _out_of_reach(study, holder, unseen if holder and holder.host == socket.gethostname() else "")
    say(f"{_what(study, holder)} has stopped")


def _what(study: str, holder: "Holder | None") -> str:
    from hpsearch.holding import RUN

    return study if holder is None or holder.doing == RUN else f"hpsearch {holder.doing} of {study}"


def _out_of_reach(study: str, holder: "Holder | None", why: str) -> "RunningElsewhere":
    from hpsearch.errors import RunningElsewhere

    if holder is None:
        message = f"the study {study!r} is running, but not in a process that says who it is\n  stop it where it runs"
    else:
        message = f"the study {study!r} is in use by {holder}{', ' if why else ''}{why}\n  stop it there"
    return RunningElsewhere(message)


def _end(holder: "Holder", *, now: bool) -> None:
    _tell(holder)
    if now:
        time.sleep(SECOND_WORD_SECONDS)
        _tell(holder)
    _wait_for(holder, kill=now)


def _tell(holder: "Holder") -> None:
    with contextlib.suppress(ProcessLookupError):
        if holder.lives:
            os.kill(holder.pid, signal.SIGTERM)
            if hasattr(os, "killpg"):  # Ctrl-Z suspends a whole group, in which nobody hears until all go on
                os.killpg(os.getpgid(holder.pid), signal.SIGCONT)


def _wait_for(holder: "Holder", *, kill: bool) -> None:
    began = told = time.monotonic()
    while holder.lives:
        now = time.monotonic()
        if kill and now - began > KILL_SECONDS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGKILL)  # its workers end with it
        if now - told > PROGRESS_SECONDS:
            click.echo(f"waiting for {holder} to leave", err=True)
            told = now
        time.sleep(POLL_SECONDS)
