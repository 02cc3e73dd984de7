"""Finds transactions in SQLite's write-ahead log that SQLite passes over, because something before them was changed.

SQLite takes the log as ended at the first frame that is not what was written, and says nothing. That is right after a
power cut, when the frame belongs to the last transaction, of which nobody was told that it is safe; two whole
transactions from there on mean damage. The format: https://www.sqlite.org/walformat.html.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Words = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]

PAGE = 4096  # bytes, as a ledger is created with
HEADER, FRAME = 32, 24
MAGIC = bytes.fromhex("377f06")
MOST_LOST_BY_A_POWER_CUT = 1


def hides_transactions(log: Path) -> bool:
    """Whether a -wal file, which may be missing, holds transactions that SQLite would drop without a word."""
    if not log.exists():
        return False
    content = log.read_bytes()
    header, frames = content[:HEADER], list(_frames(content))
    if not frames:
        return False
    known = _sound_frames(header, frames)
    ends = [frame[8:16] for frame in frames[known or 0 :] if any(frame[4:8])]  # the salts of those that end one
    if known is not None:
        ends = [salts for salts in ends if salts == header[16:24]]  # others are left from before the log began anew
    return max(Counter(ends).values(), default=0) > MOST_LOST_BY_A_POWER_CUT


def _frames(content: bytes) -> Iterator[bytes]:
    for start in range(HEADER, len(content) - FRAME - PAGE + 1, FRAME + PAGE):
        yield content[start : start + FRAME + PAGE]


def _sound_frames(header: bytes, frames: list[bytes]) -> int | None:
    """How many frames, from the first, are what was written; None when the header itself is not."""
    import numpy as np

    order = ">u4" if header[3] & 1 else "<u4"

    def words(*parts: bytes) -> "Words":
        return np.frombuffer(b"".join(parts), order).astype(np.uint32)

    sums = _add(np.zeros(2, np.uint32), words(header[:24]))
    if not header.startswith(MAGIC) or sums.astype(">u4").tobytes() != header[24:]:
        return None
    for number, frame in enumerate(frames):
        sums = _add(sums, words(frame[:8], frame[FRAME:]))
        if frame[8:16] != header[16:24] or sums.astype(">u4").tobytes() != frame[16:FRAME]:
            return number
    return len(frames)


def _add(sums: "Words", words: "Words") -> "Words":
    """SQLite's checksum of two numbers, taken further over some words; all is modulo 2**32."""
    import numpy as np

    return np.asarray(_weights(len(words)) @ np.concatenate([sums, words]), np.uint32)


@cache
def _weights(count: int) -> "Words":
    """The checksum is linear: what each word, and the two numbers before it, count in the two numbers after it."""
    import numpy as np

    every = np.eye(count + 2, dtype=np.uint32)
    first, second = every[0], every[1]
    for even, odd in zip(every[2::2], every[3::2], strict=True):
        first = first + even + second
        second = second + odd + first
    return np.stack([first, second])
