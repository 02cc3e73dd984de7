"""What can be said of accuracies, and how surely: intervals over images and seeds, differences, paired tests.

docs/statistics.md explains each figure in plain words. An array of rights is bool, images × seeds: whether the model
of a seed reads an image rightly. All intervals are of 95 % unless said otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Rights = NDArray[np.bool_]
OUTSIDE = 0.05  # the share of cases in which an interval may miss
CLEARLY = 0.01  # what chance alone does so seldom is no chance
TENFOLD = 10.0**2  # in variance
CERTAIN = 1e6  # degrees of freedom from which on nobody sees a difference to infinity


@dataclass(frozen=True)
class Parts:
    """The variance of a mean accuracy, part by part: from the choice of images, and from that of seeds.

    The seeds' part has the `rest` in it: what differs from seed to seed on some images only, and so evens out.
    """

    mean: float
    images: float
    seeds: float
    rest: float

    @property
    def luck(self) -> float:
        """What of the seeds' part is theirs on all images."""
        return max(self.seeds - self.rest, 0.0)

    @property
    def among_seeds(self) -> float:
        """The seeds' part, or the rest where that is larger: a few seeds may be equally right by chance."""
        return max(self.seeds, self.rest)


def parts(rights: Rights, wanted: int | None = None) -> Parts:
    """Divide by two-way analysis of variance, images and seeds crossed and both random; needs 2 × 2 or more.

    The variance is that of a mean over as many seeds as there are, or over `wanted` ones of their kind.
    Searle, Casella & McCulloch, Variance Components (1992), chapter 4; negative estimates become 0.
    """
    rows, seeds = rights.shape
    right = rights.astype(np.float64)
    mean, by_image, by_seed = right.mean(), right.mean(axis=1), right.mean(axis=0)
    images = seeds * np.square(by_image - mean).sum()
    models = rows * np.square(by_seed - mean).sum()
    rest = max(np.square(right - mean).sum() - images - models, 0.0) / ((rows - 1) * (seeds - 1))
    images, models, cells = images / (rows - 1), models / (seeds - 1), rows * (wanted or seeds)
    return Parts(float(mean), max(images - rest, 0.0) / (rows * seeds), models / cells, rest / cells)


def expected_accuracy(rights: Rights, others: Sequence[Rights] = ()) -> Interval:
    """Where a configuration's accuracy on new images lies in the mean over all seeds; not that of a single training.

    `others` are the rights of the finalists among which it was chosen by these very models; some of their seeds may
    have failed, and then what they had beside it is brought to as many seeds as the winner has. Three seeds alone say
    little of how much seeds differ, so the variance over seeds is the winner's own or the mean of all finalists,
    whichever is larger, with the degrees of freedom of all; a finalist whose seeds clearly differ more than the
    winner's (F test, 1 %), as when one of them diverged, is left out. The lower bound allows for the luck of the one
    chosen. Each part reaches as far as its own quantile says, and the reaches are added like variances (MOVER: Zou &
    Donner 2008, Stat. Med. 27:1693); one quantile for their sum, by Satterthwaite, trusted three seeds too much.
    One seed has no variance over seeds: `accuracy_of_one` is for that.
    """
    own, freedom = parts(rights), rights.shape[1] - 1
    every = [(own, freedom), *((parts(one, rights.shape[1]), one.shape[1] - 1) for one in others)]
    least = own.among_seeds
    alike = [(one, free) for one, free in every if one is own or not _clearly_more(one.seeds, free, least, freedom)]
    seeds = max(own.seeds, fmean(one.seeds for one, _ in alike))
    luck = max(own.luck, fmean(one.luck for one, _ in alike))
    certain = sum(free for _, free in alike)
    wider = (_largest(OUTSIDE / 2, len(every)) / _largest(OUTSIDE / 2, 1)) ** 2 - 1
    bounds = []
    for side, among in ((-1, seeds + wider * luck), (1, seeds)):
        variance = own.images + among
        reach = math.sqrt(_t(OUTSIDE / 2) ** 2 * own.images + _t(OUTSIDE / 2, certain) ** 2 * among)
        quantile = reach / math.sqrt(variance) if variance > 0 else _t(OUTSIDE / 2)
        bounds.append(_wilson(own.mean, variance, rights.shape, side * quantile))
    return bounds[0], bounds[1]


def accuracy_of_one(right: int, rows: int) -> Interval:
    """Where one model's accuracy on new images lies (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    from scipy.stats import binomtest

    found = binomtest(right, rows).proportion_ci(1 - OUTSIDE, method="wilson")
    return float(found.low), float(found.high)


def difference(one: Rights, other: Rights, pairs: int = 1) -> tuple[float, Interval]:
    """How much more accurate one configuration is than another on the same images, each over seeds of its own.

    With `pairs` the intervals of so many comparisons hold together (Bonferroni). No bound lies beyond ±1.
    """
    first, second = parts(one), parts(other)
    gaps = one.mean(axis=1) - other.mean(axis=1)
    rows = len(gaps)
    images = max(gaps.var(ddof=1) / rows - first.rest - second.rest, 0.0)
    variance = images + first.among_seeds + second.among_seeds
    unsure = sum(part.among_seeds**2 / (rights.shape[1] - 1) for part, rights in ((first, one), (second, other)))
    freedom = CERTAIN if unsure <= 0 else variance**2 / unsure
    reach = _t(OUTSIDE / 2 / pairs, freedom) * math.sqrt(variance)
    gap = float(gaps.mean())
    return gap, (max(gap - reach, -1.0), min(gap + reach, 1.0))


def mcnemar(only_one: int, only_other: int) -> float:
    """The exact McNemar test: how often two equally good models would differ so, or more, on the same images.

    Takes the number of images that only the one, and only the other reads rightly. McNemar 1947, Psychometrika 12:153.
    """
    from scipy.stats import binomtest

    images = only_one + only_other
    return float(binomtest(only_one, images).pvalue) if images else 1.0


def fold_difference(gaps: Sequence[float], folds: int, pairs: int = 1, image: float = 0.0) -> tuple[float, Interval]:
    """How much better one configuration scores than another in repeated cross-validation on the same folds.

    `gaps` has a difference for each fold of each repeat. Folds share training rows, so their variance alone would be
    too hopeful: the corrected resampled t-test (Nadeau & Bengio 2003, Machine Learning 52:239; for repeated
    cross-validation Bouckaert & Frank 2004, PAKDD) adds the share of a fold's validation rows in its training rows.
    One image at least is taken to differ, so that equal gaps are no certainty: `image` is what it counts in a gap.
    """
    values = np.asarray(gaps, np.float64)
    variance = max(values.var(ddof=1), image**2) * (1 / len(values) + 1 / (folds - 1))
    reach = _t(OUTSIDE / 2 / pairs, len(values) - 1) * math.sqrt(variance)
    mean = float(values.mean())
    return mean, (mean - reach, mean + reach)


def alike(groups: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """The groups that differ within as the first does, which is the winner's, or somewhat more.

    Left out are those that differ clearly more (F test, 1 %) and more than tenfold, as where a seed diverged: of such
    seeds the best of a search is none. A winner whose few scores are equal by chance is no measure; then the least
    differing one is.
    """
    spread = [(float(np.var(group, ddof=1)) if group and np.ptp(group) else 0.0, len(group) - 1) for group in groups]
    if not any(variance for variance, _ in spread):
        return list(groups)
    least, freedom = spread[0] if spread[0][0] else min(one for one in spread if one[0])
    return [
        group
        for group, (variance, free) in zip(groups, spread, strict=True)
        if variance <= TENFOLD * least or not _clearly_more(variance, free, least, freedom)
    ]


def _wilson(mean: float, variance: float, shape: tuple[int, ...], quantile: float) -> float:
    """One bound of Wilson's interval for a mean of this variance: that of so many independent images.

    An interval symmetric around the mean misses near 100 %. Dean & Pagano 2015, J. Surv. Stat. Methodol. 3:484.
    """
    rows, seeds = shape
    worth = min(mean * (1 - mean) / variance, rows * seeds) if variance > 0 and 0 < mean < 1 else rows
    square = quantile**2 / worth
    reach = quantile * math.sqrt(mean * (1 - mean) / worth + square / (4 * worth))
    return float(min(max((mean + square / 2 + reach) / (1 + square), 0.0), 1.0))


def _largest(share: float, among: int) -> float:
    """The normal deviation that the largest of so many exceeds in this share of cases."""
    from scipy.special import ndtri

    return float(ndtri((1 - share) ** (1 / among)))


def _t(share: float, freedom: float = CERTAIN) -> float:
    from scipy.special import stdtrit

    quantile: Any = stdtrit(min(freedom, CERTAIN), 1 - share)
    return float(quantile)


def _clearly_more(variance: float, freedom: int, other: float, other_freedom: int) -> bool:
    """Whether one variance is larger than another by more than chance explains (F test, 1 %)."""
    from scipy.special import fdtri

    return variance > other * float(fdtri(freedom, other_freedom, 1 - CLEARLY))
