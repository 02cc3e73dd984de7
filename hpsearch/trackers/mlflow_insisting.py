"""Tells an MLflow that is away from one that answers and yet does not take a thing, such as a file or a model."""

import time
from collections.abc import Callable
from typing import TypeVar

from hpsearch import words
from hpsearch.errors import HpsearchError
from hpsearch.trackers.mlflow_trouble import safe

PAUSE_SECONDS = 3.0

Answer = TypeVar("Answer")


class NotTaken(Exception):
    """MLflow answers, but what it was to take did not get there; the text says why, on one line."""

    def __init__(self, why: Exception) -> None:
        """Put it into words, without passwords."""
        super().__init__(words.clean(f"{type(why).__name__}: {' '.join(safe(str(why)).split())}", 1000))


def insist(give: Callable[[], Answer], ask: Callable[[], object], *, pause: bool = True) -> Answer:
    """Give MLflow something, again if need be; raise NotTaken where it is not MLflow that is away.

    After an error `ask` asks MLflow for what it must know, and raises where it is away: all is told again then, when
    it is back. If it answers, either the trouble has just passed, or it lies elsewhere and may stay: a store of files
    that this machine does not reach, a model that cannot be loaded. The second try tells, after a `pause`. An
    HpsearchError is of our own files and processes, and needs none.
    """
    try:
        return give()
    except HpsearchError as error:
        raise NotTaken(error) from error
    except Exception:  # noqa: BLE001  # whatever MLflow, or the store behind it, raises
        ask()
    if pause:
        time.sleep(PAUSE_SECONDS)
    try:
        return give()
    except Exception as error:
        ask()
        raise NotTaken(error) from error
