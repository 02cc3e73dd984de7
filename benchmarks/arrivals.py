"""Says how long it took to reach an accuracy, and how much longer than another, where not every run got there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

ALL_SEEDS = 5
ENOUGH = 3  # of the five: with fewer arrivals a ratio is shown, not claimed
DRAWS = 10_000
SLACK = 1e-6  # an accuracy is a float32 mean: 0.97 may be 0.96999997


def first_at(curve: Sequence[tuple[float, float]], target: float) -> float | None:
    """The first time (seconds) at which a curve of (seconds, accuracy) is at the target; None if never."""
    return next((seconds for seconds, accuracy in curve if accuracy >= target - SLACK), None)


@dataclass(frozen=True)
class Arrivals:
    """For each seed the seconds to the target; a run that did not get there has None and counts as the limit."""

    seconds: Mapping[int, float | None]
    limit: float

    @property
    def count(self) -> int:
        """How many runs arrived."""
        return sum(taken is not None for taken in self.seconds.values())

    @property
    def censored(self) -> bool:
        """Whether a run did not arrive, so that the time it takes is longer than what it counts as."""
        return self.count < len(self.seconds)

    def times(self) -> list[float]:
        """What each run counts as, in the order of the seeds."""
        return [self.limit if taken is None else taken for _, taken in sorted(self.seconds.items())]

    def typical(self) -> str:
        """The median in words: "≥ 1800 s" where the median run did not arrive."""
        late = len(self.seconds) and 2 * self.count <= len(self.seconds)
        return f"{'≥ ' if late else ''}{median(self.times()):.0f} s" if self.seconds else "–"


@dataclass(frozen=True)
class Ratio:
    """How many times longer a peer takes than we do, by the medians, with a bootstrap interval over so many seeds.

    Of fewer than five seeds the interval has less than its 95 %: of three it is all that the resamples gave, and
    holds the true ratio in three of four tables; of one there is none.
    """

    value: float
    low: float
    high: float
    at_least: bool
    claimed: bool
    seeds: int

    def __str__(self) -> str:
        """As it stands in a table."""
        sign, mark = ("≥ " if self.at_least else ""), ("" if self.claimed else " (not claimed)")
        return f"{sign}{self.value:.1f} ×{self._spread()}{mark}"

    def _spread(self) -> str:
        if self.seeds == 1:
            return ""
        ends = f"{self.low:.1f}, {'≥ ' if self.at_least else ''}{self.high:.1f}"
        return f" [{ends}]" if self.seeds >= ALL_SEEDS else f" ({ends})"


def ratio(peer: Arrivals, ours: Arrivals) -> Ratio | None:
    """The peer's median time by ours, over the seeds that both have run; None without any.

    A run of the peer's that did not arrive makes it a lower bound. It is claimed where both have five runs, all of ours
    and three of the peer's arrived, and the interval, the percentile bootstrap (Efron 1979) of pairs drawn by seed,
    lies above 1.
    """
    seeds = sorted(peer.seconds.keys() & ours.seconds.keys())
    if not seeds:
        return None
    pairs = [Arrivals({seed: one.seconds[seed] for seed in seeds}, one.limit) for one in (peer, ours)]
    theirs, our = (np.array(one.times()) for one in pairs)
    drawn = np.random.default_rng(0).integers(0, len(seeds), (DRAWS, len(seeds)))
    ratios = np.median(theirs[drawn], axis=1) / np.median(our[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    claimed = len(seeds) >= ALL_SEEDS and pairs[0].count >= ENOUGH and not pairs[1].censored and low > 1
    value = float(np.median(theirs) / np.median(our))
    return Ratio(value, float(low), float(high), pairs[0].censored, bool(claimed), len(seeds))
