"""Every error hpsearch raises on purpose, named by what the program will do about it.

HpsearchError                         exit code; its own is 1: it came to nothing, its words say why
├── NothingCompleted                  1    no trial completed
├── ExperimentRefused                 2    the experiment file or its words are wrong
├── SameFailureRepeated               3    every trial fails the same way from the start
├── StateDamaged                      4    the study's own files do not hold what was written
│   └── NeedsNewer                    4    a newer hpsearch wrote them
├── NotExported                       4    a format does not hold the model as it is
│   └── FormatUnusable                4    ... and cannot hold it at all, so that others may do without
├── RunningElsewhere                  5    another process owns the study
├── StudyChanged                      6    the experiment, its code or its data changed since the last run
├── FolderUnusable                    7    a folder cannot be read or written
├── PortTaken                         8    a server's port is in use
├── DataRefused                       9    a data set is missing, damaged or not what it claims to be
├── PictureRefused                    9    a picture cannot be read, or nothing is written on it
└── Interrupted                       130  stopped by Ctrl-C (143 by SIGTERM, 129 by a closed terminal)

`__main__` answers what is no HpsearchError: 70 for a mistake of hpsearch's own, 141 when what it prints is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_LINE = 300  # signs


class HpsearchError(Exception):
    """An error a person can act on: its text says what, where, and how to mend it."""

    exit_code = 1


class NothingCompleted(HpsearchError):
    """No trial came to a score, so there is nothing to choose from."""

    exit_code = 1


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in an experiment: where, what, and how to mend it."""

    where: str
    what: str
    mend: str = ""

    def __str__(self) -> str:
        """Write the mistake on one line, its mend on a second."""
        return f"{self.where}: {self.what}" + (f"\n  {self.mend}" if self.mend else "")


class ExperimentRefused(HpsearchError):
    """The experiment (or a command's words) cannot be run as written; all its mistakes are listed."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[Mistake] | str) -> None:
        """Keep the mistakes for machines and join them for people."""
        self.mistakes = () if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__(mistakes if isinstance(mistakes, str) else "\n".join(map(str, mistakes)))


class SameFailureRepeated(HpsearchError):
    """The first trials failed in one and the same way; going on would only repeat it."""

    exit_code = 3


class StateDamaged(HpsearchError):
    """A file of the study does not hold what was written to it."""

    exit_code = 4


class NeedsNewer(StateDamaged):
    """A file of the study was written by a newer hpsearch, and only that one can read it."""


class NotExported(HpsearchError):
    """An exported model does not give what the model gives, so nothing is left of the export."""

    exit_code = 4


class FormatUnusable(NotExported):
    """A model cannot be written in a format, or not be run in it by the format's own runtime."""


class RunningElsewhere(HpsearchError):
    """Another process holds the study."""

    exit_code = 5


class StudyChanged(HpsearchError):
    """What the study searches changed since its last run; going on would mix two experiments."""

    exit_code = 6


class FolderUnusable(HpsearchError):
    """A folder cannot be used as it must be."""

    exit_code = 7


class PortTaken(HpsearchError):
    """The port a server should listen on is in use."""

    exit_code = 8


class DataRefused(HpsearchError):
    """A data set is missing, damaged, or not what it claims to be."""

    exit_code = 9


class PictureRefused(HpsearchError):
    """A picture cannot be read, or nothing is written on it."""

    exit_code = 9

    def __init__(self, name: str, why: str) -> None:
        """Keep the reason, one line, apart from the picture's name."""
        self.why = why
        super().__init__(f"{name}: {why}")


class Interrupted(HpsearchError):
    """The person (130) or the machine (143) asked the program to stop; the study can go on later."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        """Carry the exit code of the signal that came."""
        self.exit_code = exit_code
        super().__init__(message)


def first_line(text: str) -> str:
    """The first line of a message, cut where it is longer than anybody reads in passing."""
    line = text.partition("\n")[0]
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"
