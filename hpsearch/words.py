"""Puts values, scores and spans of time into short words that are safe to show on a terminal."""

import math

from hpsearch.space import Value, Values
from hpsearch.trial import Failure

LONGEST = 200


def clean(text: object, longest: int = LONGEST) -> str:
    """Text from outside on one line: control and format signs become escapes, what is too long loses its middle."""
    return shortened(escaped(str(text)), longest)


def escaped(text: str, but: str = "") -> str:
    """The text with control and format signs, `but` for these, as escapes: so no file can drive the terminal."""
    return "".join(sign if sign.isprintable() or sign in but else ascii(sign)[1:-1] for sign in text)


def shortened(line: str, longest: int) -> str:
    """The line, or both of its ends: names of one family, such as units_of_layer_1, differ at the last sign alone."""
    head, tail = longest // 2, longest - longest // 2 - 1
    return line if len(line) <= longest else f"{line[:head]}…{line[-tail:]}"


def value(given: Value) -> str:
    """A value in a few signs, such as 0.00123, relu or yes."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    return f"{given:.4g}" if isinstance(given, float) else clean(given, 40)


def values(given: Values) -> str:
    """Values by name, such as "units=64 rate=0.001"."""
    return " ".join(f"{clean(name, 40)}={value(one)}" for name, one in given.items())


def score(given: float | None) -> str:
    """A score with four decimals, with more digits where it is tiny, and a dash where there is none."""
    if given is None:
        return "–"
    tiny = given != 0 and math.isfinite(given) and abs(given) < 0.001  # noqa: PLR2004  # four decimals show nothing of it
    return f"{given:.3e}" if tiny else f"{given:.4f}"


def count(number: int, what: str) -> str:
    """A number of things, such as "1 seed" or "3 seeds"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def span(seconds: float) -> str:
    """A span of time such as 12 s, 3 min 20 s or 1 h 05 min."""
    if seconds < 10:  # noqa: PLR2004  # one decimal tells something below that
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004  # seconds in a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def failure(why: Failure) -> str:
    """The kind of a failure and the first line of its message."""
    first = next(iter(why.message.strip().splitlines()), "")
    return clean(f"{why.kind}: {first}" if first else why.kind)


def reason(why: Failure | None, otherwise: str, longest: int = LONGEST) -> str:
    """Why something ended: its failure, or where there is none the reason that it gave."""
    return failure(why) if why else clean(otherwise, longest)
