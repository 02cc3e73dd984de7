"""The order in which people count."""

import re


def natural(name: str) -> tuple[list[str | int], str]:
    """Sort by this, and 9 comes before 10."""
    parts: list[str | int] = list(re.split(r"(\d+)", name.casefold()))
    parts[1::2] = map(int, parts[1::2])
    return parts, name
