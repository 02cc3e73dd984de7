"""Knows which of a trial's values may vary from trial to trial, so that the others are not shown."""

from hpsearch.records import Answered, SpaceFound
from hpsearch.space import Values


class Varying:
    """What is searched anywhere varies, also where another branch of the space fixes it."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self._fixed: set[str] = set()
        self._searched: set[str] = set()

    def take(self, body: SpaceFound | Answered) -> None:
        """Add what was asked for."""
        for parameter in body.parameters if isinstance(body, SpaceFound) else (body.parameter,):
            (self._fixed if parameter.kind == "fixed" else self._searched).add(parameter.name)

    @property
    def fixed(self) -> set[str]:
        """The names that never vary."""
        return self._fixed - self._searched

    def of(self, values: Values) -> Values:
        """The values that may vary."""
        fixed = self.fixed
        return {name: value for name, value in values.items() if name not in fixed}
