"""Lets a pruner hear real curves in random orders of arrival, and counts what it saves and what it loses."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from hpsearch.objective import Objective
from hpsearch.protocols import Brief, Pruner

ORDERS = 400  # of the trials as they were measured
RESAMPLES, ORDERS_EACH = 100, 20  # for the intervals: trials drawn anew, with replacement


@dataclass(frozen=True)
class Curve:
    """The objective after each epoch of one trial (with folds: of its first fit), and how many epochs it warmed up."""

    scores: tuple[float, ...]
    warmup: int = 0


@dataclass(frozen=True)
class Outcome:
    """One search: the share of epochs not trained, whether the best trial was stopped, and the score lost by it.

    `loss_by_fewer` is what a search without a pruner loses that trains as many epochs: the first few trials whole.
    """

    saved: float
    stopped: bool
    loss: float
    loss_by_fewer: float


@dataclass(frozen=True)
class Figures:
    """Means over searches, each with a 95 % interval over trials drawn anew from those measured."""

    saved: float
    saved_interval: tuple[float, float]
    best_stopped: float
    best_stopped_interval: tuple[float, float]
    loss: float
    loss_interval: tuple[float, float]
    loss_by_fewer: float


def judge(make: Callable[[], Pruner], curves: Sequence[Curve], objective: Objective, seed: int = 0) -> Figures:
    """What a pruner does with these trials in a search by two workers, in random orders."""
    chance = random.Random(seed)  # noqa: S311  # orders of arrival, no secrets

    def means(drawn: Sequence[Curve], orders: int) -> tuple[float, float, float, float]:
        outcomes = [replay(make(), chance.sample(drawn, len(drawn)), objective, chance) for _ in range(orders)]
        return (
            fmean(one.saved for one in outcomes),
            fmean(one.stopped for one in outcomes),
            fmean(one.loss for one in outcomes),
            fmean(one.loss_by_fewer for one in outcomes),
        )

    mean_saved, mean_stopped, mean_loss, by_fewer = means(curves, ORDERS)
    drawn_anew = [means(chance.choices(curves, k=len(curves)), ORDERS_EACH) for _ in range(RESAMPLES)]
    saved, stopped, loss, _ = (interval(list(column)) for column in zip(*drawn_anew, strict=True))
    return Figures(mean_saved, saved, mean_stopped, stopped, mean_loss, loss, by_fewer)


def replay(
    pruner: Pruner, curves: Sequence[Curve], objective: Objective, chance: random.Random, workers: int = 2
) -> Outcome:
    """One search in this order: a worker that is free takes the next trial, and an epoch lasts alike for all."""
    epochs = len(curves[0].scores)
    pruner.begin(Brief(objective, seed=0, trials=len(curves), epochs=epochs))
    waiting = list(range(len(curves)))
    running: dict[int, int] = {}
    trained: dict[int, int] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            running[waiting.pop(0)] = 0
        for trial in chance.sample(sorted(running), len(running)):
            epoch = running[trial] = running[trial] + 1
            wish = pruner.hear(trial, epoch, curves[trial].scores[epoch - 1])
            if epoch == epochs or (wish and epoch >= curves[trial].warmup):
                trained[trial] = running.pop(trial)
    return _outcome([(curve, trained[trial]) for trial, curve in enumerate(curves)], objective)


def _outcome(trained: Sequence[tuple[Curve, int]], objective: Objective) -> Outcome:
    epochs = len(trained[0][0].scores)
    scores = [best_of(curve.scores, objective) for curve, _ in trained]
    best, spent = best_of(scores, objective), sum(reached for _, reached in trained)
    kept = best_of([score for score, (_, reached) in zip(scores, trained, strict=True) if reached == epochs], objective)
    fewer = best_of(scores[: max(1, round(spent / epochs))], objective)
    saved = 1 - spent / (epochs * len(trained))
    return Outcome(saved, objective.better(best, kept), abs(best - kept), abs(best - fewer))


def best_of(scores: Sequence[float], objective: Objective) -> float:
    """The best score."""
    return min(scores, key=objective.key)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of the values."""
    ordered = sorted(values)
    return ordered[round(0.025 * (len(ordered) - 1))], ordered[round(0.975 * (len(ordered) - 1))]
