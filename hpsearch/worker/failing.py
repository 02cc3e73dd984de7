"""What becomes of an error that a fit raised: words that can be written down, and whether its trial is to blame."""

import traceback
from pathlib import Path

from hpsearch.disk import FULL, disk_full
from hpsearch.errors import HpsearchError
from hpsearch.orders import ENDS_SESSION
from hpsearch.trial import Failure
from hpsearch.worker.epochs import NonFinite

LONGEST_MESSAGE, LONGEST_TRACEBACK = 2000, 8000  # signs
EXHAUSTED = "ResourceExhaustedError"  # TensorFlow's, where a card has no room


class Drifted(ValueError):
    """Two builds with the same values asked for different things."""


class MetricMissing(ValueError):
    """The model does not give the metric that the search optimises."""


def failed(error: BaseException) -> Failure:
    """The failure that an error makes, its traceback with it; call it where the error is handled."""
    trace = traceback.format_exc()[-LONGEST_TRACEBACK:]
    return Failure(_kind(error), sound(_message(error)[:LONGEST_MESSAGE]), sound(trace))


def ends_session(error: BaseException, fits: Path) -> HpsearchError | None:
    """The error as one that ends the session, if no trial is to blame: a full disk (that of `fits`), lost data."""
    if isinstance(error, OSError) and error.errno in FULL:
        return disk_full(fits)
    return error if isinstance(error, ENDS_SESSION) else None


def sound(text: str) -> str:
    """The text as it can be written down: file names that are no UTF-8 come into Python as lone surrogates."""
    return text.encode(errors="backslashreplace").decode()


def _kind(error: BaseException) -> str:
    match error:
        case NonFinite():
            return "non-finite"
        case Drifted():
            return "space drift"
        case SystemExit():
            return "exit"
    return "oom" if type(error).__name__ == EXHAUSTED else type(error).__name__


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"exit code {error.code} without a result"
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # a person's own exception may stumble over its own words
        return "it cannot say what it is"
