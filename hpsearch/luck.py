"""How much of the best score of many trials is luck: a bootstrap over the trials."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
MOST_DRAWN = 200_000  # numbers at a time
LEVELS = 200  # how finely the scores without luck are told apart
STEPS = 200  # of the EM algorithm
NODES = 32  # of the Gauss–Hermite quadrature over the luck of a seed
REACH = 8.0  # how many standard deviations of luck below the best a trial may be and still matter


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Where the luck of seeds is taken to be normal, and alike for good and bad configurations."""

    of: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


PLAIN = Scale(np.asarray, np.asarray)
# A share cannot exceed one, so near one good luck carries less far than bad: arcsin √share evens that out (Bartlett
# 1936, J. R. Stat. Soc. Suppl. 3:68).
SHARES = Scale(
    lambda shares: np.arcsin(np.sqrt(shares)), lambda angles: np.square(np.sin(np.clip(angles, 0.0, np.pi / 2)))
)


def pooled_deviation(groups: Sequence[Sequence[float]]) -> float | None:
    """The standard deviation within groups, as one figure; None when no group has two values."""
    squares = sum(float(np.square(np.asarray(group) - np.mean(group)).sum()) for group in groups if group)
    freedom = sum(len(group) - 1 for group in groups if group)
    return math.sqrt(squares / freedom) if freedom else None


def luck_of_the_best(scores: Sequence[float], deviation: float, seed: int, scale: Scale = PLAIN) -> float:
    """How much of the best score of many trials is luck, on average; more is better in `scores`.

    A bootstrap over the trials: each resample draws as many configurations, gives each the luck of a seed (normal on
    `scale`, where it has this standard deviation), and asks how far the best score of all lies above what its own
    configuration scores on average over seeds. What the
    configurations score without luck is first found from the scores by maximum likelihood (Kiefer & Wolfowitz 1956,
    Ann. Math. Stat. 27:887, by EM), because scores that already hold luck would be lucky twice.
    """
    given = np.asarray(scores, np.float64)
    given = given[np.isfinite(given)]
    if not deviation or not len(given):
        return 0.0
    given = scale.of(given)
    near = given[given >= given.max() - REACH * deviation]
    levels, weights = _without_luck(near, deviation)
    fair = _over_seeds(levels, deviation, scale)
    random = np.random.Generator(np.random.PCG64(seed))
    lucky: list[float] = []
    while len(lucky) < RESAMPLES:  # not all at once: there may be thousands of trials
        rounds = min(RESAMPLES, max(1, MOST_DRAWN // len(near)))
        drawn = random.choice(len(levels), (rounds, len(near)), p=weights)
        scored = levels[drawn] + random.normal(0.0, deviation, drawn.shape)
        best = np.arange(rounds), scored.argmax(axis=1)
        lucky += (scale.back(scored[best]) - fair[drawn[best]]).tolist()
    return float(np.mean(lucky[:RESAMPLES]))


def _over_seeds(levels: Floats, deviation: float, scale: Scale) -> Floats:
    """What configurations of these levels score on average over seeds."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return np.asarray(scale.back(levels[:, None] + deviation * nodes) @ (weights / weights.sum()))


def _without_luck(scores: Floats, deviation: float) -> tuple[Floats, Floats]:
    """The likeliest distribution of the scores without luck: levels, and how many share each."""
    levels = np.linspace(scores.min() - deviation, scores.max(), LEVELS)
    likely = np.exp(-0.5 * np.square((scores[:, None] - levels) / deviation))
    weights = np.full(LEVELS, 1 / LEVELS)
    for _ in range(STEPS):
        weights = weights * (likely / (likely @ weights)[:, None]).mean(axis=0)
    return levels, weights / weights.sum()
