"""Consults the tuner: it is begun anew where its process died, and believed only where its answer is a possible one."""

from collections.abc import Callable
from typing import Any, TypeVar

from hpsearch import grid, plugins
from hpsearch.errors import HpsearchError, first_line
from hpsearch.protocols import Guided, Tuner, Turn
from hpsearch.space import Parameter, Value, same
from hpsearch.state import MOST_LOSSES
from hpsearch.study import Study
from hpsearch.trial import Trial, TrialResult
from hpsearch.worker.ending import ChildDied

Said = TypeVar("Said")

MEND = "mend the tuner; hpsearch.testing.tuners tries out what one promises (docs/parts.md)"
NOUNS = {"int": "a whole number", "float": "a number"}


class Consulted:
    """A study's tuner, as its trials ask it. What it raises or answers wrongly ends the session, and names it."""

    def __init__(self, study: Study, tuner: Tuner) -> None:
        """Consult a tuner that has begun."""
        self._study, self._tuner = study, tuner
        self._name = study.experiment.search.tuner

    def ask(self, number: int) -> Trial | Turn:
        """The trial of this number, or why there is none."""
        answer = self._consult(f"it was asked for trial {number}", self._tuner.ask, number)
        if isinstance(answer, Turn) or (isinstance(answer, Trial) and answer.number == number):
            return answer
        raise self._refusal(answer, f"trial {number}", f"is Trial({number}), Turn.WAIT or Turn.DONE")

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """The value of a parameter for a trial."""
        value = self._consult(f"it was asked for {parameter.name!r}", self._tuner.suggest, number, parameter)
        if _possible(parameter, value):
            return value
        raise self._refusal(value, repr(parameter.name), _wanted(parameter))

    def note(self, number: int, parameter: Parameter, value: Value) -> bool:
        """Tell it a value that it is then not asked for; say whether it is one that can be told."""
        if not isinstance(self._tuner, Guided):
            return False
        self._consult(f"it was told {parameter.name!r}", self._tuner.note, number, parameter, value)
        return True

    def tell(self, result: TrialResult) -> None:
        """Tell it how a trial ended."""
        try:
            with self._blaming(f"it was told the end of trial {result.trial.number}"):
                self._tuner.tell(result)
        except ChildDied:
            self._begin_anew()

    def _consult(self, when: str, ask: Callable[..., Said], *arguments: Any) -> Said:
        """What the tuner says; where its process died it is begun anew, unless it dies again and again."""
        with self._blaming(when):
            for _ in range(MOST_LOSSES):
                try:
                    return ask(*arguments)
                except ChildDied:
                    self._begin_anew()
            return ask(*arguments)

    def _begin_anew(self) -> None:
        """Have it remember all that the ledger holds, as the next session's would."""
        with self._blaming("it was begun anew"):
            self._tuner.close()
            self._tuner.begin(self._study.brief(self._study.remembered()))

    def _blaming(self, when: str) -> Any:
        return plugins.blaming("tuners", self._name, when)

    def _refusal(self, answer: object, what: str, wanted: str) -> HpsearchError:
        said = first_line(repr(answer))
        return HpsearchError(f"the tuner {self._name!r} answered {said} for {what}, which {wanted}\n  {MEND}")


def _possible(parameter: Parameter, value: Any) -> bool:
    """Whether the value is one of the parameter's, and can be written down, as NumPy's whole numbers cannot."""
    plain = isinstance(value, bool | int | float | str)
    return plain and (grid.fits(parameter, value) or same(value, parameter.default))


def _wanted(parameter: Parameter) -> str:
    """What a parameter takes, in words that follow on its name."""
    if parameter.kind not in NOUNS:
        return f"is one of {', '.join(map(repr, parameter.choices)) or repr(parameter.default)}"
    steps = f", on its grid of steps of {parameter.step}" if parameter.step else ""
    return f"is {NOUNS[parameter.kind]} of Python's own from {parameter.low} to {parameter.high}{steps}"
