"""Hears what a worker says piece by piece, so that one killed or paused in the middle of a message holds nobody up."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LARGEST_BYTES = 1 << 24  # of a message; an honest one is a few thousand
_LENGTH_BYTES = 4  # they come before each message; see Connection._send_bytes in multiprocessing.connection


class TooLong(Exception):
    """A message claims a length that no honest one has."""


class Ear:
    """The hearing end of a line; multiprocessing's own waits for the rest of a message that has begun."""

    def __init__(self, line: "Connection[Any, Any]") -> None:
        """Hear what comes over the line."""
        self._line = line
        self._heard = bytearray()

    def hear(self) -> bytes | None:
        """The next message, None while it is not whole; raise EOFError where no more comes, OSError, TooLong."""
        while self._line.poll():
            piece = os.read(self._line.fileno(), self._missing())
            if not piece:
                raise EOFError
            self._heard += piece
            if len(self._heard) >= _LENGTH_BYTES and not self._missing():
                message = bytes(self._heard[_LENGTH_BYTES:])
                self._heard.clear()
                return message
        return None

    def _missing(self) -> int:
        """How many bytes the message lacks, or its length."""
        if len(self._heard) < _LENGTH_BYTES:
            return _LENGTH_BYTES - len(self._heard)
        length = int.from_bytes(self._heard[:_LENGTH_BYTES], "big", signed=True)
        if not 0 <= length <= LARGEST_BYTES:  # -1 stands before 8 bytes of a length beyond 2 GB
            message = f"a message of more than {LARGEST_BYTES} bytes"
            raise TooLong(message)
        return _LENGTH_BYTES + length - len(self._heard)
