"""Names the known words that are nearest to one that nobody knows."""

import difflib
import re
from collections.abc import Sequence


def hint(word: str, names: Sequence[str]) -> str:
    """Name the known words that are nearest, where some are near, and all of them."""
    near = nearest(word, names)
    asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{asked}known: {', '.join(names) or 'none'}"


def nearest(word: str, names: Sequence[str]) -> list[str]:
    """The names that are the word in other letters or number, that have it as a part ("tpe"), or are spelt like it."""
    word, small = word.lower(), {name.lower(): name for name in reversed(names)}
    same = [name for name in names if name.lower().removesuffix("s") == word.removesuffix("s")]
    parts = [name for name in names if word in re.split(r"[.:_-]", name.lower())]
    return same or parts[:3] or [small[near] for near in difflib.get_close_matches(word, small, n=1)]
