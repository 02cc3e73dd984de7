"""Makes of whatever MLflow raises one error, on one line, without passwords."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hpsearch import words
from hpsearch.errors import HpsearchError
from hpsearch.provenance import redacted

ANEW = "move it away: hpsearch sync STUDY fills a new one"
HALF_MADE = f"some program was killed while it made or upgraded its tables; {ANEW}"
UNREADABLE = {  # by SQLite's and Alembic's words
    "file is not a database": f"it is damaged; {ANEW}",
    "database disk image is malformed": f"it is damaged; {ANEW}",
    "malformed database schema": f"it is damaged; {ANEW}",
    "(sqlite3.OperationalError) table ": HALF_MADE,  # … already exists
    "(sqlite3.OperationalError) index ": HALF_MADE,  # … already exists
    "(sqlite3.OperationalError) duplicate column": HALF_MADE,
    "Can't locate revision": f"a newer MLflow made it; update MLflow, or {ANEW}",
}


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


def cure(said: str) -> str:
    """What ails a database of which this is said, and what can be done; "" where nothing is known."""
    return next((mend for words, mend in UNREADABLE.items() if words in said), "")


def safe(text: str) -> str:
    """The text without the users, passwords and queries of the addresses in it."""
    return re.sub(r"://\S*", lambda address: redacted(address[0]), text)
