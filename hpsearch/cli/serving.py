"""What commands that serve pages on this machine have in common: the port, the browser, and how they end."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hpsearch.errors import Interrupted, PortTaken

HOST = "127.0.0.1"


def free_port(port: int) -> int:
    """The port, or a free one for 0; raise PortTaken, naming the holder where that can be seen."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"port {port} cannot be used: {_holder(port) or error.strerror}"
            message += "\n  choose another with --port, or let --port 0 find one"
            raise PortTaken(message) from error
        return int(probe.getsockname()[1])


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()}) listens on it"
    except (psutil.Error, OSError):
        return ""
    return ""


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within: SIGTERM ends the command as Ctrl-C does, each with its exit code.

    Ctrl-C is set as well, because a shell starts its background jobs with SIGINT ignored.
    """

    def heard(number: int, _frame: object) -> None:
        message = "stopped"
        raise Interrupted(message, 128 + number)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def can_show() -> bool:
    """Whether there is a screen to open a browser on."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
