"""Gathers the first few faults of a file, so that one error shows where to begin."""

from collections.abc import Sequence

from hpsearch.errors import DataRefused
from hpsearch.words import escaped

FIRST = 5
LONGEST = 60
MOST_COUNTS = 100


class Faults:
    """What is wrong in one file or folder, each with its place; reading may end when there are enough."""

    def __init__(self, source: str, mend: str) -> None:
        """Speak of `source`; `mend` says what a person can do about all of them."""
        self._source, self._mend = source, mend
        self._found: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Take in one more."""
        if not self.enough:
            self._found.append(f"  {where}: {what}")

    @property
    def enough(self) -> bool:
        """Whether as many are known as will be told."""
        return len(self._found) >= FIRST

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def refuse(self, counts: Sequence[tuple[str, int]] = (), of: str = "rows per class") -> None:
        """Raise DataRefused if there is any fault, with the counts of each class, which are numbers `of` what."""
        if not self._found:
            return
        head = f"the first {FIRST} faults" if self.enough else f"{len(self._found)} fault{'s'[: len(self._found) > 1]}"
        lines = [f"{self._source}: {head}", *self._found]
        if counts:
            lines.append(f"  {of}: {listed(counts)}")
        raise DataRefused("\n".join([*lines, f"  {self._mend}"]))


def listed(counts: Sequence[tuple[str, int]]) -> str:
    """The counts of classes in words, "cat: 1,200, dog: 7"; of very many the first."""
    shown = ", ".join(f"{name}: {rows:,}" for name, rows in counts[:MOST_COUNTS])
    return f"{shown}, …" if len(counts) > MOST_COUNTS else shown


def short(text: str) -> str:
    """A strange text or name as it can be shown: what is not printable is escaped, and it is cut."""
    return escaped(text[:LONGEST]) + ("…" if len(text) > LONGEST else "")
