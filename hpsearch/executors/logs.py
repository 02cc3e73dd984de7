"""Keeps what the process of an attempt prints: its first and its last megabytes, so that no trial fills the disk.

Python's own prints, those of C and those of programs that the trial starts all come through one pipe. This side
reads it, in a thread, whatever comes: a process that prints faster than that has to wait, and one that dies loses
nothing of what it had written.
"""

import contextlib
import multiprocessing
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.files import make

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HEAD_BYTES, TAIL_BYTES = 9_000_000, 1_000_000
PIECE_BYTES = 1 << 16
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 1.0


class Log:
    """The output of one process, written to a file from when its name is known."""

    def __init__(self) -> None:
        """Make the pipe; its writing end, `writer`, is the process's, and closed here once that has begun."""
        self._reader: Connection[Any, Any]
        self.writer: Connection[Any, Any]
        self._reader, self.writer = multiprocessing.Pipe(duplex=False)
        self._path: Path | None = None
        self._file: int | None = None
        self._room, self._left_out, self._tail = 0, 0, bytearray()
        self._lock, self._closing, self._given_up = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="log", daemon=True)

    def follow(self) -> None:
        """Begin to read, now that the process has the writing end."""
        self.writer.close()
        self._thread.start()

    def keep(self, path: Path) -> None:
        """Append to this file from now on, beginning with what was printed before."""
        file = os.open(make(path.parent) / path.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with self._lock:
            self._path, self._file = path, file
            self._room = max(0, HEAD_BYTES - os.fstat(file).st_size)
            early, self._tail = bytes(self._tail), bytearray()
            self._take(early)

    def close(self) -> None:
        """Write the end, and read no further; the process has ended. Twice is as good as once."""
        self._closing.set()
        if self._thread.ident:
            self._thread.join(PATIENCE_SECONDS)  # a program that left the trial's reach may print for ever
            self._given_up.set()
            self._thread.join()
        self.writer.close()
        self._reader.close()
        if self._file is None:
            return
        words = f"\n… {self._left_out:,} bytes are left out here …\n".encode() if self._left_out else b""
        with contextlib.suppress(OSError):
            os.write(self._file, words + self._tail[-TAIL_BYTES:])
        os.close(self._file)
        self._file = None

    def fault(self) -> str:
        """The trace that Python's faulthandler wrote at the end of the closed log, "" if there is none."""
        if self._path is None:
            return ""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - PIECE_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:  # somebody removed it; whether the study can go on without is the ledger's to say
            return ""
        _, mark, trace = text.rpartition("Fatal Python error: ")
        return (mark + trace.partition("\nExtension modules:")[0]).strip() if mark else ""

    def _follow(self) -> None:
        while not self._given_up.is_set() and (piece := self._next()):
            with self._lock:
                self._take(piece)

    def _next(self) -> bytes:
        """The next piece; empty at the pipe's end, or where nothing more is in it and this log is being closed."""
        while not self._reader.poll(POLL_SECONDS):
            if self._closing.is_set():
                return b""
        return os.read(self._reader.fileno(), PIECE_BYTES)

    def _take(self, piece: bytes) -> None:
        if self._file is not None and self._room:
            head, piece = piece[: self._room], piece[self._room :]
            self._room -= len(head)
            with contextlib.suppress(OSError):  # a full disk is no reason to hold up the trial
                os.write(self._file, head)
        self._tail += piece
        if len(self._tail) > 2 * TAIL_BYTES:
            self._left_out += len(self._tail) - TAIL_BYTES
            del self._tail[:-TAIL_BYTES]
