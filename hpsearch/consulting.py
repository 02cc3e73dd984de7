"""Consults the tuner; where its process died it is begun anew."""

from collections.abc import Callable
from typing import Any, TypeVar

from hpsearch.protocols import Guided, Tuner, Turn
from hpsearch.space import Parameter, Value
from hpsearch.state import MOST_LOSSES
from hpsearch.study import Study
from hpsearch.trial import Trial, TrialResult
from hpsearch.worker.ending import ChildDied

Said = TypeVar("Said")


class Consulted:
    """A study's tuner, as its trials ask it."""

    def __init__(self, study: Study, tuner: Tuner) -> None:
        """Consult a tuner that has begun."""
        self._study, self._tuner = study, tuner

    def ask(self, number: int) -> Trial | Turn:
        """The trial of this number, or why there is none."""
        return self._consult(self._tuner.ask, number)

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """The value of a parameter for a trial."""
        return self._consult(self._tuner.suggest, number, parameter)

    def note(self, number: int, parameter: Parameter, value: Value) -> bool:
        """Tell it a value that it is then not asked for; say whether it is one that can be told."""
        if not isinstance(self._tuner, Guided):
            return False
        self._consult(self._tuner.note, number, parameter, value)
        return True

    def tell(self, result: TrialResult) -> None:
        """Tell it how a trial ended."""
        try:
            self._tuner.tell(result)
        except ChildDied:
            self._begin_anew()

    def _consult(self, ask: Callable[..., Said], *arguments: Any) -> Said:
        """What the tuner says; where its process died it is begun anew, unless it dies again and again."""
        for _ in range(MOST_LOSSES):
            try:
                return ask(*arguments)
            except ChildDied:
                self._begin_anew()
        return ask(*arguments)

    def _begin_anew(self) -> None:
        """Have it remember all that the ledger holds, as the next session's would."""
        self._tuner.close()
        self._tuner.begin(self._study.brief(self._study.remembered()))
