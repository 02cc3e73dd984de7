"""Makes of whatever MLflow raises one error, on one line, without passwords."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hpsearch.errors import HpsearchError
from hpsearch.trackers import words


class NotHeard(HpsearchError):
    """MLflow could not be told; the same record will be tried again."""


@contextmanager
def told_apart() -> Iterator[None]:
    """Within: what is raised comes out as NotHeard."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it is, its text may hold a password
        raise NotHeard(in_words(error)) from None


def in_words(error: Exception) -> str:
    """What MLflow or a library of its own raised, on one line and without passwords."""
    return f"MLflow: {words.clean(safe(str(error) or type(error).__name__), 500)}"


def safe(text: str) -> str:
    """The text without the users and passwords of the addresses in it."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "***@", text)
