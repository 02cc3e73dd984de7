"""Adds up what a study's ledger tells of one trial: its values, attempts, epochs, model and outcome."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hpsearch.errors import ExperimentRefused
from hpsearch.records import Answered, AttemptBegan, News, SessionBegan
from hpsearch.space import Values
from hpsearch.state import State
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, Measure, Metrics, Status, TrialResult


@dataclass
class TrialStory:
    """One trial as far as it has come; what belongs to its fits includes the finals'.

    `values` is what varies between trials or could have, `fixed` the rest; `attempts` are told in their order, with an
    end where they have one; `measures` holds each fit's metrics by epoch; `session` is the study's last one.
    """

    number: int
    session: SessionBegan
    status: str = Status.ASKED.value
    values: Values = field(default_factory=dict)
    fixed: Values = field(default_factory=dict)
    result: TrialResult | None = None
    built: Built | None = None
    attempts: dict[Attempt, AttemptEnd | None] = field(default_factory=dict)
    measures: dict[Fit, dict[int, Metrics]] = field(default_factory=dict)

    @property
    def search_fits(self) -> list[Fit]:
        """The fits that belong to the trial's score and have begun, in their order."""
        return list(dict.fromkeys(attempt.fit for attempt in self.attempts if attempt.fit.kind == "search"))

    def end(self, fit: Fit) -> AttemptEnd | None:
        """How the last attempt at a fit ended, if it has."""
        return [end for attempt, end in self.attempts.items() if attempt.fit == fit][-1]

    def take(self, body: object) -> None:
        """Add a record, if it is of this trial."""
        match body:
            case Answered(self.number, parameter, value):
                (self.fixed if parameter.kind == "fixed" else self.values)[parameter.name] = value
            case AttemptBegan(Attempt(Fit(self.number)) as attempt):
                self.attempts[attempt] = None
            case AttemptEnd(Attempt(Fit(self.number)) as attempt):
                self.attempts[attempt] = body
            case Built(Attempt(Fit(self.number))):
                self.built = body
            case Measure(Attempt(Fit(self.number) as fit), epoch, metrics):
                self.measures.setdefault(fit, {})[epoch] = metrics
            case TrialResult(trial) if trial.number == self.number:
                self.result = body


def tell(records: Iterable[News], number: int) -> TrialStory:
    """The story of a trial, from all of a study's records; raise ExperimentRefused when there is no such trial."""
    state, story = State(), None
    for news in records:  # which may be very many: none is kept that is not of the trial
        state.take(news)
        if isinstance(news.body, SessionBegan):
            story = story or TrialStory(number, news.body)
            story.session = news.body
        elif story:
            story.take(news.body)
    if story is None or number not in state.courses:
        many = len(state.courses)
        known = f"they are numbered from 0 to {many - 1}" if many else "it has none yet"
        message = f"there is no trial {number} in this study\n  {known}"
        raise ExperimentRefused(message)
    story.status = state.status(number).value
    return story
