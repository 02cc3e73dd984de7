"""Tells what fits came to of which no worker told it, by the measures that the ledger has of them."""

from collections import defaultdict
from collections.abc import Collection

from hpsearch.objective import Objective
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, Fit, How, Measure


def reached(study: Study, fits: Collection[Fit], reason: str) -> dict[Fit, AttemptEnd]:
    """How those of these fits that were measured would have ended, had they heeded a stop after their last epoch.

    That is rare enough for reading all measures again.
    """
    told: defaultdict[Fit, list[Measure]] = defaultdict(list)
    for news in study.ledger.recall((Measure,)) if fits else ():
        if isinstance(news.body, Measure) and news.body.attempt.fit in fits:
            told[news.body.attempt.fit].append(news.body)
    return {fit: _end(measures, study.experiment.objective, reason) for fit, measures in told.items()}


def _end(told: list[Measure], objective: Objective, reason: str) -> AttemptEnd:
    last, seconds = told[-1], sum(one.seconds for one in told)
    scored = [one for one in told if objective.metric in one.metrics]
    if not scored:
        return AttemptEnd(last.attempt, How.INTERRUPTED, seconds, epochs=last.epoch, reason=reason)
    best = min(scored, key=lambda one: objective.key(one.metrics[objective.metric]))
    score = best.metrics[objective.metric]
    return AttemptEnd(last.attempt, How.INTERRUPTED, seconds, score, best.epoch, last.epoch, best.metrics, reason)
