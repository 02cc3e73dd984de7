"""Trains random trials of an experiment to their very end, and reads their curves back from the ledger."""

from collections import defaultdict
from typing import Any

from hpsearch import paths, study
from hpsearch.cli.run import _Place
from hpsearch.errors import Interrupted
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.parts import make_minds
from hpsearch.records import SessionBegan
from hpsearch.search import search
from hpsearch.session import INTERRUPTED, Session, Surroundings
from hpsearch.trial import Built, Fit, Measure, Status, TrialResult
from pruning_replay import Curve


class Searching(Session):
    """A session that ends with its search: no finals, and no look at the test split."""

    def _work(self, finale: Finale) -> tuple[str, Any]:
        tuner, pruner = make_minds(finale.study)
        finale.leave.politely = True
        try:
            return search(finale.study, tuner, pruner, finale.crew, finale.leave), None
        except Interrupted:
            raise Interrupted(INTERRUPTED, finale.leave.exit_code) from None
        finally:
            finale.leave.politely = False
            tuner.close()


def unpruned(experiment: Experiment, trials: int) -> Experiment:
    """The experiment with random trials that all run to their end, as a study of its own."""
    changes = {
        "tuner": "keras-tuner.random",
        "tuner_options": {},
        "pruner": "none",
        "pruner_options": {},
        "race": False,
    }
    return experiment.model_copy(
        update={
            "name": f"pruning-{experiment.name}",
            "search": experiment.search.model_copy(update={**changes, "trials": trials, "time": None}),
            "train": experiment.train.model_copy(update={"early_stopping": 0, "keep": 0}),
            "tracking": experiment.tracking.model_copy(update={"mlflow": False}),
        }
    )


def train(experiment: Experiment, project: paths.Project) -> None:
    """Train the trials; what an earlier run of the same command trained stands."""
    place = _Place(project, plain=True)
    around = Surroundings(project, place.progress, place.say, place.watch, place.mlflow, lambda _experiment: None)
    Searching(experiment, around).run()


def curves(experiment: Experiment, project: paths.Project) -> tuple[list[Curve], dict[str, str]]:
    """The curves of all trials that ran to their end, by number, and where the first session ran.

    With folds or repeats a curve is that of the first fit, which is all that a pruner hears.
    """
    scores: defaultdict[int, dict[int, float]] = defaultdict(dict)
    warmups: dict[int, int] = {}
    whole: set[int] = set()
    provenance: dict[str, str] = {}
    for news in study.read(project, experiment.name):
        match news.body:
            case SessionBegan() as session:
                provenance = provenance or dict(session.provenance)
            case Built(attempt) if _first(attempt.fit):
                warmups[attempt.fit.trial] = news.body.warmup_epochs
            case Measure(attempt, epoch, metrics) if _first(attempt.fit):
                scores[attempt.fit.trial][epoch] = metrics[experiment.objective.metric]
            case TrialResult(trial, Status.COMPLETED):
                whole.add(trial.number)
    found = [Curve(_in_order(scores[trial]), warmups[trial]) for trial in sorted(whole)]
    return [curve for curve in found if len(curve.scores) == experiment.train.epochs], provenance


def _first(fit: Fit) -> bool:
    return fit.kind == "search" and (fit.repeat, fit.fold) == (0, 0)


def _in_order(epochs: dict[int, float]) -> tuple[float, ...]:
    return tuple(epochs[epoch] for epoch in sorted(epochs))
