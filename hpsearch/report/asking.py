"""Adds up what a study's trials were asked, in which ways, and when each began and ended."""

from dataclasses import replace

from hpsearch.records import Answered, Asked, News, SpaceFound
from hpsearch.space import Parameter
from hpsearch.trial import TrialResult


class Asking:
    """What was asked of whom, and when each trial began and ended."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self._variants: dict[str, list[Parameter]] = {}
        self._places: dict[Parameter, int] = {}  # in `_variants`; each trial may bring a range of its own
        self._fixed: set[str] = set()
        self._of: dict[int, dict[str, int | None]] = {}
        self._began: dict[int, int] = {}
        self._ended: dict[int, int] = {}

    def take(self, news: News) -> None:
        """Add the next record."""
        match news.body:
            case SpaceFound(parameters):
                for parameter in parameters:
                    self._place(parameter)
            case Asked(trial):
                self._began[trial.number] = news.time_ms
            case Answered(trial, parameter) if (place := self._place(parameter)) != 0:
                self._of.setdefault(trial, {})[parameter.name] = place
            case TrialResult(trial):
                self._ended[trial.number] = news.time_ms

    def _place(self, parameter: Parameter) -> int | None:
        if parameter.kind == "fixed":
            self._fixed.add(parameter.name)
            return None
        choices = parameter.choices if parameter.ordered else tuple(sorted(parameter.choices, key=repr))
        way = replace(parameter, default=0, choices=choices)
        if way not in self._places:
            known = self._variants.setdefault(parameter.name, [])
            self._places[way] = len(known)
            known.append(parameter)
        return self._places[way]

    def parameters(self) -> tuple[Parameter, ...]:
        """All that was asked but for what is fixed, in the order in which it came up."""
        return tuple(parameter for known in self._variants.values() for parameter in known)

    def partly_fixed(self) -> frozenset[str]:
        """The names that were fixed in one branch and searched in another."""
        return frozenset(self._fixed & self._variants.keys())

    def variants(self, trial: int) -> dict[str, int | None]:
        """Which of the parameters of a name a trial was asked, where that is not the first; None where it was fixed."""
        return {name: place for name, place in self._of.get(trial, {}).items() if name in self._variants}

    def times(self, trial: int) -> tuple[int | None, int | None]:
        """When a trial began and ended, in Unix milliseconds."""
        return self._began.get(trial), self._ended.get(trial)
