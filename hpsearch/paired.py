"""Says by how much one configuration is ahead of another on images that both were judged by, and what chance explains.

Two models that were judged by the same images differ only in those that one of them got right and the other did not
(McNemar 1947, Psychometrika 12, 153-157), so their difference is known far better than the accuracy of either. What
the images explain is the variance of the sum of these differences, image by image (an image that came in several
repeats is one, not several: Liang & Zeger 1986, Biometrika 73, 13-22).

Training again on another seed gives another model, and three or five folds cannot tell how different by themselves.
So the scatter of the lead from fold to fold is compared with what the images alone explain, over all pairs at hand: a
ratio above one multiplies the variance (overdispersion: McCullagh & Nelder 1989, Generalized Linear Models,
section 4.5). Fits on the same images, as repeats have them, share these images' luck: it does not part them, and is
put back where their scatter is compared. Where seeds change no more than single images here and there, as Jordan
(2024, ICLR, arXiv:2304.01910) found for well-behaved networks, the ratio is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[tuple[int], np.dtype[np.int64]]
    Hits = np.ndarray[tuple[int], np.dtype[np.bool_]]

RISK = 0.01  # that a trial as good as the incumbent is dropped, over all looks at it


@dataclass(frozen=True)
class Shared:
    """One fit that both configurations had: row numbers, and which of these rows each got right."""

    rows: "Rows"
    ahead: "Hits"
    behind: "Hits"


@dataclass(frozen=True)
class Lead:
    """How far ahead one configuration is over the shared fits.

    `share` is in accuracy, `variance` what images explain of its variance. `scatter` is Pearson's X² of the lead over
    the fits, which has `fits` - 1 degrees of freedom, as it would be had each fit images of its own. `images` counts
    different ones.
    """

    share: float
    variance: float
    scatter: float
    fits: int
    images: int


def lead(shared: Sequence[Shared]) -> Lead:
    """Compare two configurations on one fit or more. One image at least is taken to differ, so no variance is zero."""
    import numpy as np

    gains = [one.ahead.astype(np.int8) - one.behind.astype(np.int8) for one in shared]
    rows, every = np.concatenate([one.rows for one in shared]), np.concatenate(gains)
    share, judged = float(every.mean()), len(every)
    by_image = np.bincount(rows, every - share)
    variance = max(float(by_image @ by_image), 1.0) / judged**2
    alone = [max(float(gain.var()), 1 / len(gain)) / len(gain) for gain in gains]  # what images explain of one fit's
    scatter = sum((float(gain.mean()) - share) ** 2 / one for gain, one in zip(gains, alone, strict=True))
    images = int(np.count_nonzero(np.bincount(rows)))
    if images < judged:  # the luck that fits on the same images share does not part them: put it back
        scatter += max(0.0, len(gains) * variance / fmean(alone) - 1)
    return Lead(share, variance, scatter, len(gains), images)


def margin(found: Lead, others: Iterable[Lead], fits: int, rivals: int, folds: int) -> float:
    """The lead, in accuracy, that chance explains: only a larger one shows that who is behind is worse.

    `others` are leads of the same configuration over other trials, from which the scatter between fits is learnt;
    `fits` is how many a trial has in all, and `folds` over how many of them its images are divided (1 where all fits
    have the same); `rivals` is among how many finished trials the leader is the best: the luckiest of many equals is
    ahead by luck alone (its expected luck is Blom's: 1958, Statistical Estimates and Transformed Beta-Variables).
    Infinite where nothing is known of the scatter.
    """
    from scipy.special import stdtrit

    known = [found, *others]
    freedom = sum(one.fits - 1 for one in known)
    if freedom == 0:
        return inf
    own = found.scatter / (found.fits - 1) if found.fits > 1 else 1.0
    ratio = max(1.0, own, sum(one.scatter for one in known) / freedom)
    # All leads have the leader's fits in common, half of their scatter, which no number of others makes surer.
    quantile = float(stdtrit(min(freedom, 4 * (fits - 1)), 1 - RISK / (fits - 1)))
    left = min(1.0, found.fits / folds)  # of the luck, in the mean over all fits: more of the same images leave it
    luck = NormalDist().inv_cdf((rivals - 0.375) / (rivals + 0.25)) * sqrt(left / 2)
    return (quantile + max(0.0, luck)) * sqrt(ratio * found.variance)
