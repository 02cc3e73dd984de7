"""Keeps one number of each trial in order, so that a trial's place among thousands is found without a look at all."""

from bisect import bisect_left, insort


class Ranks:
    """The trials' numbers, none of them NaN; a trial's new number replaces the one before."""

    def __init__(self) -> None:
        self._of: dict[int, float] = {}
        self._ordered: list[float] = []

    def __len__(self) -> int:
        """How many trials have a number."""
        return len(self._ordered)

    def put(self, trial: int, number: float) -> None:
        """Give a trial its number."""
        self.drop(trial)
        self._of[trial] = number
        insort(self._ordered, number)

    def drop(self, trial: int) -> None:
        """Take a trial out, if it is in."""
        if (before := self._of.pop(trial, None)) is not None:
            del self._ordered[bisect_left(self._ordered, before)]

    def below(self, number: float) -> int:
        """How many numbers are smaller."""
        return bisect_left(self._ordered, number)

    def median(self) -> float:
        """The middle number, or the mean of the middle two; there must be one."""
        middle, odd = divmod(len(self._ordered), 2)
        return self._ordered[middle] if odd else (self._ordered[middle - 1] + self._ordered[middle]) / 2
