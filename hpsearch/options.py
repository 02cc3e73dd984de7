"""Checks a part's whole-number options."""


def whole(name: str, value: object, least: int) -> int:
    """The value; raise ValueError unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        message = f"{name} is a whole number, {least} or more, not {value!r}"
        raise ValueError(message)
    return value
