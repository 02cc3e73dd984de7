"""Takes the first points of a search from the best trials of another study of the project."""

from collections.abc import Iterable
from itertools import islice
from typing import NoReturn

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.experiment import Experiment
from hpsearch.objective import Objective
from hpsearch.paths import Project
from hpsearch.records import News, Planned
from hpsearch.space import Value
from hpsearch.state import State
from hpsearch.study import read
from hpsearch.trial import Status, distinct

MOST_POINTS = 5


def plan(project: Project, experiment: Experiment) -> Planned | None:
    """The values of the best completed trials of `search.start_from`, best first; None where nothing is wanted.

    Raises ExperimentRefused when there is no such study, or none of its trials completed.
    """
    name = experiment.search.start_from
    if name is None:
        return None
    if name == experiment.name:
        _refuse("a study cannot start from itself", "give this one another name")
    points = best_points(read(project, name), min(MOST_POINTS, experiment.search.trials or MOST_POINTS))
    if not points:
        _refuse(f"no trial of {name!r} completed", "leave the key out, or name another study")
    return Planned(name, points)


def best_points(story: Iterable[News], most: int) -> tuple[dict[str, Value], ...]:
    """The values of the best completed trials of a study, best first, none of them twice."""
    state = State()
    for news in story:
        state.take(news)
    if state.session is None:
        return ()
    key = Objective.parse(state.session.experiment["search"]["objective"]).key
    scored = [result for result in state.with_status(Status.COMPLETED) if result.score is not None]
    ordered = sorted(scored, key=lambda result: (key(result.score), result.trial.number))
    return tuple(dict(result.trial.values) for result in islice(distinct(ordered), most))


def _refuse(what: str, mend: str) -> NoReturn:
    raise ExperimentRefused([Mistake("search.start_from", what, mend)])
