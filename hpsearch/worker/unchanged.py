"""Sees to it that models are built by the code that their session began with, though files are edited meanwhile."""

import ast
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hpsearch.errors import StudyChanged

MOMENT = 0.5  # seconds, after which a file that an editor replaces is whole again


class HalfWritten(StudyChanged):
    """The code is what it was, but a file was being written while it was imported: nobody knows what was read."""


@dataclass(frozen=True)
class Code:
    """The project's own modules that make a study's models, as its session began with them.

    `texts` has the text of each by its path within `root`, None for one that was not there.
    """

    root: Path
    texts: Mapping[str, bytes | None]

    @classmethod
    def read(cls, root: Path, modules: Iterable[str]) -> Self:
        """The modules as they are now."""
        return cls(root, {module: _text(root / module) for module in modules})

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within, the code is imported; at the end `refuse_if_changed`, also in place of what is raised within.

        So late, because what changed before the import, or in the middle of it, is still changed then.
        """
        try:
            yield
        finally:
            self.refuse_if_changed()

    def refuse_if_changed(self) -> None:
        """Raise StudyChanged when a module is gone or says something else; spacing, comments and dates say nothing.

        Raises HalfWritten where that is over in a moment.
        """
        if not self._changed():
            return
        time.sleep(MOMENT)
        if changed := self._changed():
            message = (
                f"the code of the search space changed while the study ran, in {', '.join(changed)}\n"
                "  bring back what was there, and the same command goes on\n"
                "  to search by the code as it is now: --name ANOTHER, or --fresh, which sets this study aside"
            )
            raise StudyChanged(message)
        message = "the code of the search space was being written just now\n  the same command goes on"
        raise HalfWritten(message)

    def _changed(self) -> list[str]:
        return [module for module, text in self.texts.items() if not _alike(text, _text(self.root / module))]


def _text(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _alike(one: bytes | None, other: bytes | None) -> bool:
    if one == other:
        return True
    if one is None or other is None:
        return False
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what is no Python is compared byte by byte
        return False
