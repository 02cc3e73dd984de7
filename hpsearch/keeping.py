"""Keeps what may still be needed of ended trials, and deletes the rest: checkpoints, and weights of the many."""

import heapq

from hpsearch.fits import search_fits
from hpsearch.state import OUT_OF_TIME
from hpsearch.study import Study
from hpsearch.trial import TrialResult

CHECKPOINT = "checkpoint.bin"
WEIGHTS = "best.bin"


def tidy(study: Study, ended: TrialResult) -> None:
    """After a trial: its checkpoints go (unless time may be added), and weights stay for the best few only."""
    if ended.reason != OUT_OF_TIME:
        _delete(study, ended.trial.number, CHECKPOINT)
    kept = study.experiment.train.keep
    objective = study.experiment.objective
    scored = [result for result in study.state.results if result.score is not None]
    leaders = heapq.nsmallest(kept + 1, scored, key=lambda result: (objective.key(result.score), result.trial.number))
    if ended not in leaders[:kept]:
        _delete(study, ended.trial.number, WEIGHTS)
    for displaced in leaders[kept:]:
        _delete(study, displaced.trial.number, WEIGHTS)


def _delete(study: Study, trial: int, name: str) -> None:
    for fit in search_fits(study.experiment, trial):
        (study.paths.fits / fit.name / name).unlink(missing_ok=True)
