"""Adds a study's records up to plain facts, for reports and programs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.objective import Objective
from hpsearch.provenance import redacted
from hpsearch.records import NO_FURTHER, Answered, News, SessionBegan, SessionEnded, SpaceFound, Verdict
from hpsearch.report.asking import Asking
from hpsearch.report.labour import Labour, Work
from hpsearch.space import Parameter, Values
from hpsearch.sparing import Spared, Sparing
from hpsearch.state import State
from hpsearch.trial import Attempt, AttemptEnd, Failure, Fit, How, Measure, Status

Point = tuple[int, float]
OVER = frozenset({Status.COMPLETED, Status.PRUNED, Status.FAILED})


@dataclass
class TrialFacts:
    """One trial: `curves` holds each metric as (epoch, value), `values` only what varies.

    With folds or repeats a curve is the mean over those that have ended, of which one that ended sooner than others
    keeps its last value; before there is one, it is that of the first alone.
    Before it is over it has no score; `seconds` is then what its epochs took so far.

    `variants` says which of the parameters of a name it was asked, where that is not the first; None where the name,
    which other trials search, was fixed for it.
    `began` and `ended` are Unix milliseconds. `scores` has the score of every fold and repeat, by name.
    """

    number: int
    status: str = Status.ASKED.value
    values: Values = field(default_factory=dict)
    score: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    failure: Failure | None = None
    began: int | None = None
    ended: int | None = None
    variants: dict[str, int | None] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    curves: dict[str, list[Point]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether the trial has its result, and so is not asked, running or interrupted."""
        return self.status in OVER


@dataclass
class Facts:
    """A whole study; `trials` come best first, those without a score last. Times in seconds.

    `pruning` is None where the study has no pruner; `judged` counts the models that the study showed its test split to,
    `looks` those of all studies of the project that share it, by study: it is `hpsearch.looks` that knows.
    `parameters` is all that was asked of any trial, but for what is fixed: one for each way in which a name was asked,
    in the order in which they came up. `fixed` has what is fixed for every trial, `partly_fixed` the names that are
    fixed in one branch of the space and searched in another.
    `began` and `ended`, in Unix milliseconds, are those of its first session and its last, of which the latter is None
    while one lasts.
    `session_spans` says from when to when each session lasted, in seconds of the study, which stand still between
    sessions, and `work` what its workers did.
    """

    name: str = ""
    objective: str = "max val_accuracy"
    trials: list[TrialFacts] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    pruning: Spared | None = None
    experiment: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    fixed: Values = field(default_factory=dict)
    partly_fixed: frozenset[str] = frozenset()
    parameters: tuple[Parameter, ...] = ()
    finalists: tuple[int, ...] = ()
    verdict: Verdict | None = None
    openings: int = 0
    judged: int = 0
    looks: Mapping[str, int | None] = field(default_factory=dict)
    searched: float = 0.0
    sessions: int = 0
    began: int | None = None
    ended: int | None = None
    session_spans: list[tuple[float, float]] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    finished: bool = False
    reason: str = ""

    @property
    def best(self) -> TrialFacts | None:
        """The winner, or before the finals the completed trial that leads."""
        if self.verdict:
            return next(trial for trial in self.trials if trial.number == self.verdict.winner)
        return self.leader

    @property
    def leader(self) -> TrialFacts | None:
        """The completed trial that scored best in the search, whoever won."""
        return next((trial for trial in self.trials if trial.status == Status.COMPLETED), None)

    @property
    def ended_by_tuner(self) -> bool:
        """Whether the search ended before its budget was spent, because the tuner found no further point."""
        return self.finished and self.reason.startswith(NO_FURTHER)

    @property
    def several(self) -> set[str]:
        """The names that were asked for in several ways: their values lie on no one scale."""
        ways = Counter(parameter.name for parameter in self.parameters)
        return {name for name, many in ways.items() if many > 1} | self.partly_fixed


class _Curves:
    """Every search fit's metrics, epoch by epoch; what a resumed fit repeats counts once."""

    def __init__(self) -> None:
        self._values: dict[int, dict[Fit, dict[str, dict[int, float]]]] = {}
        self._ended: set[Fit] = set()
        self.seconds: dict[int, float] = {}

    def take(self, news: News) -> None:
        match news.body:
            case Measure(Attempt(Fit(kind="search") as fit), epoch, metrics, seconds):
                known = self._values.setdefault(fit.trial, {}).setdefault(fit, {})
                self.seconds[fit.trial] = self.seconds.get(fit.trial, 0.0) + seconds
                for name, value in metrics.items():
                    known.setdefault(name, {})[epoch] = value
            case AttemptEnd(Attempt(Fit(kind="search") as fit), How.FINISHED, failure=None):
                self._ended.add(fit)

    def of(self, trial: int) -> dict[str, list[Point]]:
        fits = self._values.get(trial, {})
        ended = [metrics for fit, metrics in fits.items() if fit in self._ended] or list(fits.values())[:1]
        names = dict.fromkeys(name for metrics in ended for name in metrics)
        return {name: _mean([metrics[name] for metrics in ended if name in metrics]) for name in names}


def _mean(fits: Sequence[Mapping[int, float]]) -> list[Point]:
    """The mean over the fits at each epoch that any of them came to; one that ended sooner keeps its last value."""
    last: dict[int, float] = {}
    points = []
    for epoch in sorted(set().union(*fits)):
        last |= {place: fit[epoch] for place, fit in enumerate(fits) if epoch in fit}
        points.append((epoch, sum(last.values()) / len(last)))
    return points


def gather(story: Iterable[News], name: str = "") -> Facts:
    """Fold a study's records, from the first, into facts; a story that stops anywhere will do.

    `name` is that of the study's folder: a story without a session tells none, that of a study set aside an older one.
    """
    state, facts, sparing = State(), Facts(name), Sparing()
    asking, curves, labour = Asking(), _Curves(), Labour()
    for news in story:
        for fold in (state, sparing, asking, curves, labour):
            fold.take(news)
        match news.body:
            case SessionBegan() as session:
                _note_session(facts, session)
                facts.began, facts.ended = facts.began or news.time_ms, None
            case SpaceFound(parameters):
                facts.fixed |= {one.name: one.default for one in parameters if one.kind == "fixed"}
            case Answered(_, parameter, value) if parameter.kind == "fixed":
                facts.fixed[parameter.name] = value
            case SessionEnded(finished, reason):
                facts.finished, facts.reason, facts.ended = finished, reason, news.time_ms
    facts.finalists, facts.verdict, facts.openings = state.finalists, state.verdict, state.openings
    facts.searched, facts.sessions = state.searched, state.sessions
    facts.pruning, facts.judged = sparing.spared(), len(state.judged)
    facts.parameters, facts.partly_fixed = asking.parameters(), asking.partly_fixed()
    facts.fixed = {name: value for name, value in facts.fixed.items() if name not in facts.partly_fixed}
    facts.session_spans, facts.work = labour.spans, labour.close()
    _add_trials(facts, state, curves)
    for trial in facts.trials:
        trial.variants, (trial.began, trial.ended) = asking.variants(trial.number), asking.times(trial.number)
    return facts


def _note_session(facts: Facts, session: SessionBegan) -> None:
    facts.name, facts.provenance = facts.name or session.name, dict(session.provenance)
    facts.experiment = _shown(session.experiment)
    facts.objective = str(session.experiment.get("search", {}).get("objective", facts.objective))
    facts.finished, facts.reason = False, ""


def _shown(said: Any) -> Any:
    """The experiment without the passwords that its addresses may carry."""
    if isinstance(said, Mapping):
        return {key: _shown(value) for key, value in said.items()}
    return redacted(said) if isinstance(said, str) else said


def _add_trials(facts: Facts, state: State, curves: _Curves) -> None:
    for number, course in state.courses.items():
        status, seconds = state.status(number).value, curves.seconds.get(number, 0.0)
        trial = TrialFacts(number, status, curves=curves.of(number), seconds=seconds)
        known = course.values
        if result := course.result:
            trial.score, trial.best_epoch = result.score, result.best_epoch
            trial.seconds, trial.metrics = result.seconds, dict(result.metrics)
            trial.reason, trial.failure, trial.scores = result.reason, result.failure, dict(result.scores)
            more = {name: value for name, value in known.items() if name not in result.trial.values}
            known = {**result.trial.values, **more}  # in the order in which they were asked for
        trial.values = {name: value for name, value in known.items() if name not in facts.fixed}
        facts.trials.append(trial)
    key = Objective.parse(facts.objective).key
    facts.trials.sort(key=lambda trial: (trial.status != Status.COMPLETED, key(trial.score), trial.number))
    statuses = [trial.status for trial in facts.trials]
    facts.counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
