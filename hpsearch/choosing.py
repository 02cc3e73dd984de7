"""Chooses and orders the rows of a table by words such as "units_0 >= 256 and status = completed".

The words are read by a small grammar of their own, and nothing in them is run:

    wish  = part {"or" part}
    part  = claim {"and" claim}
    claim = "not" claim | "(" wish ")" | column sign value
    sign  = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" (holds the text)

A row that lacks a column's value meets no claim about it.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from hpsearch.errors import ExperimentRefused
from hpsearch.nearest import hint
from hpsearch.trial import Status

if TYPE_CHECKING:
    import pandas as pd

TOKENS = re.compile(r"""\s*(?:([()]|<=|>=|==|!=|[=<>~])|"([^"]*)"|'([^']*)'|([^\s()<>=!~"']+))""")
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
PREFIXES = ("", "params.", "metrics.")
TRUTHS = {"yes": True, "true": True, "no": False, "false": False}
LONGEST, DEEPEST = 2_000, 50  # letters; brackets within brackets
EXAMPLE = 'such as "units_0 >= 256 and status = completed"'


def where(table: "pd.DataFrame", wish: str) -> "pd.DataFrame":
    """The rows that meet a wish, in their order; raise ExperimentRefused where the wish cannot be read."""
    return table[_Reader(table, wish).mask()]


def ordered(table: "pd.DataFrame", column: str) -> "pd.DataFrame":
    """The rows by a column, upwards, or downwards where it is written "-column"; what is missing comes last.

    The rows come best first, so "score" means the order in which they are, and "-score" the worst first.
    """
    import pandas as pd

    down, name = column.startswith("-"), known(table, column.removeprefix("-"))
    if name == "score":
        scored = table[table[name].notna()]
        return pd.concat([scored[::-1] if down else scored, table[table[name].isna()]])
    mixed = table[name].dtype == object
    return table.sort_values(name, ascending=not down, kind="stable", key=as_text if mixed else None)


def known(table: "pd.DataFrame", word: str) -> str:
    """The column of this name, or the parameter, or the metric; raise ExperimentRefused, with the nearest, if none."""
    for prefix in PREFIXES:
        if prefix + word in table.columns:
            return prefix + word
    short = [str(name).removeprefix("params.").removeprefix("metrics.") for name in table.columns]
    message = f"there is no column {word!r}\n  {hint(word, list(dict.fromkeys(short)))}"
    raise ExperimentRefused(message)


def columns(table: "pd.DataFrame", wanted: Sequence[str]) -> "pd.DataFrame":
    """The named columns, in that order; one that is named twice comes once, for JSON and Parquet hold no more."""
    return table[list(dict.fromkeys(known(table, word) for word in wanted))]


def as_text(cells: "pd.Series[Any]") -> "pd.Series[str]":
    """A column of mixed types as text; what is missing stays so."""
    return cells.map(lambda cell: None if missing(cell) else str(cell))


def missing(cell: Any) -> bool:
    """Whether there is nothing in a cell."""
    import pandas as pd

    return bool(pd.isna(cell))


class _Reader:
    """Reads one wish from left to right."""

    def __init__(self, table: "pd.DataFrame", wish: str) -> None:
        self._table, self._wish, self._depth = table, wish, 0
        self._words = _split(wish)

    def mask(self) -> "pd.Series[bool]":
        """Which rows meet the wish."""
        met = self._any()
        if self._words:
            self._refuse(f"what is {self._words[0][0]!r} to mean here?")
        return met

    def _any(self) -> "pd.Series[bool]":
        met = self._all()
        while self._comes("or"):
            met = met | self._all()
        return met

    def _all(self) -> "pd.Series[bool]":
        met = self._claim()
        while self._comes("and"):
            met = met & self._claim()
        return met

    def _claim(self) -> "pd.Series[bool]":
        self._depth += 1
        if self._depth > DEEPEST:
            self._refuse("it goes too deep")
        if self._comes("not"):
            met = ~self._claim()
        elif self._comes("("):
            met = self._any()
            if not self._comes(")"):
                self._refuse("a ) is missing")
        else:
            met = self._comparison()
        self._depth -= 1
        return met

    def _comparison(self) -> "pd.Series[bool]":
        column = known(self._table, self._next("a column")[0])
        sign, quoted = self._next("a sign, such as < or =")
        if quoted or sign not in {*SIGNS, "~"}:
            self._refuse(f"{sign!r} is no sign; they are {' '.join([*SIGNS, '~'])}")
        word, quoted = self._next("a value")
        if column == "status" and sign != "~" and word not in (possible := [str(status) for status in Status]):
            message = f"no trial's status is ever {word!r}\n  {hint(word, possible)}"
            raise ExperimentRefused(message)
        return self._table[column].map(lambda cell: _meets(cell, sign, word, quoted=quoted)).astype(bool)

    def _comes(self, word: str) -> bool:
        """Take the next word if it is this one."""
        if self._words and self._words[0] == (word, False):
            self._words.pop(0)
            return True
        return False

    def _next(self, what: str) -> tuple[str, bool]:
        if not self._words:
            self._refuse(f"{what} is missing at the end")
        return self._words.pop(0)

    def _refuse(self, why: str) -> NoReturn:
        raise _unreadable(self._wish, why)


def _unreadable(wish: str, why: str) -> ExperimentRefused:
    return ExperimentRefused(f"--where {wish[:200]!r} cannot be read: {why}\n  {EXAMPLE}")


def _split(wish: str) -> list[tuple[str, bool]]:
    """The words of a wish, each with whether it was quoted."""
    words: list[tuple[str, bool]] = []
    place, end = 0, len(wish.rstrip())
    while place < end:
        found = TOKENS.match(wish, place) if end <= LONGEST else None
        if found is None:
            raise _unreadable(wish, f"at {wish[place:].strip()[:20]!r}" if end <= LONGEST else "it is too long")
        sign, *quoted, plain = found.groups()
        words.append(
            (sign or plain, False) if sign or plain else (next(text for text in quoted if text is not None), True)
        )
        place = found.end()
    return words


def _meets(cell: Any, sign: str, word: str, *, quoted: bool) -> bool:
    if missing(cell):
        return False
    if sign == "~":
        return word.lower() in str(cell).lower()
    wanted = word if quoted or isinstance(cell, str) else _plain(word)
    if isinstance(cell, bool) or isinstance(wanted, bool):
        alike = isinstance(cell, bool) == isinstance(wanted, bool)
        return SIGNS[sign](cell, wanted) if alike and sign in {"=", "==", "!="} else sign == "!="
    if isinstance(cell, str) != isinstance(wanted, str):
        return sign == "!="
    return SIGNS[sign](cell, wanted)


def _plain(word: str) -> bool | float | str:
    if word.lower() in TRUTHS:
        return TRUTHS[word.lower()]
    try:
        return float(word)
    except ValueError:
        return word
