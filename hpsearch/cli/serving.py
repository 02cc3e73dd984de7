"""What commands that serve pages on this machine have in common: the port, the browser, and how they end."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hpsearch.errors import HpsearchError, Interrupted, PortTaken
from hpsearch.leaving import AtOnce

HOST = "127.0.0.1"
HERE = (HOST, "localhost")
EVERYWHERE = "0.0.0.0"  # noqa: S104  # every address of this machine's; not listened on unless a person says so
HTTP = 80  # the port that browsers leave out of the Host and Origin that they send
START_SECONDS = 90.0
GRACE_SECONDS = 5.0


def hosts(port: int, names: Collection[str] = HERE) -> frozenset[str]:
    """What a browser may say that it asks: name and port, and at HTTP's own port the name alone."""
    whole = frozenset(f"{name}:{port}" for name in names)
    return whole | frozenset(names) if port == HTTP else whole


def asked_at(host: str) -> str:
    """The address by which this machine asks what listens on `host`."""
    return HOST if host == EVERYWHERE else host


def free_port(port: int, host: str = HOST) -> int:
    """The port, or a free one for 0, for a server that opens it itself; raise what `listening_on` does."""
    with listening_on(port, host) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def listening_on(port: int, host: str = HOST) -> Iterator[socket.socket]:
    """Within: a socket listens on the port, or on a free one for 0, so that nobody else can have it.

    Raises PortTaken, naming the holder where that can be seen.
    """
    with socket.socket() as listening:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        try:
            listening.bind((host, port))
            listening.listen()
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
                message = f"{host} is no address of this machine ({error.strerror})\n  choose one with --host"
                raise PortTaken(message) from error
            message = f"port {port} cannot be used: {_holder(port) or error.strerror}"
            message += "\n  choose another with --port, or let --port 0 find one"
            raise PortTaken(message) from error
        yield listening


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return "somebody else's process listens on it"
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()}) listens on it"
    except (psutil.Error, OSError):
        return ""
    return ""


@contextmanager
def server_of(
    command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server in a process group of its own, its words in a log, and end all of it afterwards.

    The log is begun anew; what another server says that has it still comes in between, and overwrites nothing.
    """
    from hpsearch.worker.tether import die_with_parent

    tied = partial(die_with_parent, signal.SIGTERM) if sys.platform == "linux" else None
    log.write_bytes(b"")
    with log.open("ab") as out, terminated_as_interrupted():
        server = subprocess.Popen(  # noqa: S603  # our own words
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, cwd=folder,
            start_new_session=True, preexec_fn=tied,  # noqa: PLW1509  # no threads yet
        )  # fmt: skip
        try:
            yield server
        finally:
            _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(server.pid, number)
            else:
                server.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE_SECONDS)


def wait_until_up(server: "subprocess.Popen[bytes]", port: int, log: str, host: str = HOST) -> None:
    """Return when it listens; raise HpsearchError, naming the log, when it ends before or takes too long.

    Raises PortTaken where it ended because somebody else listens by now.
    """
    until = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        if _listens(server.pid, port):
            return
        time.sleep(0.1)
    free_port(port, host)
    message = f"MLflow's server did not start\n  what it said is in {log}"
    raise HpsearchError(message)


def _listens(server: int, port: int) -> bool:
    """Whether it is this process, or one below it, that would answer on the port, and nobody else."""
    import psutil

    try:
        own = psutil.Process(server)
        several = [one for process in (own, *own.children(recursive=True)) for one in process.net_connections("tcp")]
    except psutil.Error:  # one ends while it is looked at
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in several)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within: SIGTERM and a closed terminal end the command as Ctrl-C does; raise Interrupted with the exit code.

    It is that of the signal that came first. Ctrl-C is set as well, because a shell starts its background jobs with
    SIGINT ignored. Within, it is AtOnce that is raised: an Exception would be taken for a damaged picture by whoever
    unpacks one, and click's `echo` for one lets all of them pass.
    """
    codes: list[int] = []

    def heard(number: int, _frame: object) -> None:
        codes.append(128 + number)
        if number not in {signal.SIGINT, signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)  # it comes again, from the shell
        raise AtOnce

    heeded = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        heeded.append(signal.SIGHUP)
    before = {number: signal.signal(number, heard) for number in heeded}
    try:
        yield
    except AtOnce:
        message = "stopped"
        raise Interrupted(message, codes[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def can_show() -> bool:
    """Whether there is a screen to open a browser on."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
