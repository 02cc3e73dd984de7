"""Takes the first points of a search from the best trials of another study of the project."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.experiment import Experiment
from hpsearch.paths import Project
from hpsearch.records import News, Planned
from hpsearch.shortlist import best_first
from hpsearch.space import Value
from hpsearch.state import State
from hpsearch.study import read

MOST_POINTS = 5


def plan(project: Project, experiment: Experiment) -> Planned | None:
    """The values of the best trials of `search.start_from`, best first; None where nothing is wanted.

    Raises ExperimentRefused when there is no such study, or none of its trials completed.
    """
    name = experiment.search.start_from
    if name is None:
        return None
    points = best_points(read(project, name), min(MOST_POINTS, experiment.search.trials or MOST_POINTS))
    if not points:
        _refuse(f"no trial of {name!r} completed", "leave the key out, or name another study")
    return Planned(name, points)


@dataclass(frozen=True)
class _Told:
    """A study as its ledger tells it."""

    experiment: Experiment
    state: State


def best_points(story: Iterable[News], most: int) -> tuple[dict[str, Value], ...]:
    """The values of the trials that a study's finals would take first, best first, none of them twice."""
    state = State()
    for news in story:
        state.take(news)
    if state.session is None:
        return ()
    told = _Told(Experiment.model_validate(state.session.experiment), state)
    return tuple(dict(result.trial.values) for result in islice(best_first(told), most))


def _refuse(what: str, mend: str) -> NoReturn:
    raise ExperimentRefused([Mistake("search.start_from", what, mend)])
