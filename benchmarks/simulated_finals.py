"""Makes studies whose truth is known: trials of known quality, seeds that differ, images that are hard for all.

An image is read rightly when a normal variable is above nought. It adds up the configuration's quality, how easy the
image is (for every model; for this configuration), the seed's luck, and the rest; so the truth, a configuration's
expected accuracy on new images under a new seed, is a normal integral. Models share most of their errors, as models
of one family do on MNIST. Selection is as in hpsearch: the search's best trials by one seed's validation score each,
the winner by its mean over fresh seeds on the same validation images, all judged on one set of test images.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hpsearch.conclusions import Standing
from hpsearch.trial import Fit

SHARED, OWN, REST = 0.6, 0.15, 0.25  # of the variance: how hard an image is for all, for a configuration, by chance
Rights = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """A kind of study: about how accurate, how many rows are tested, and how much seeds differ.

    `seed_deviation` is a typical configuration's standard deviation of accuracy over seeds, as a share of its error;
    configurations differ in it by a log-normal factor of `unlike`. `gaps` says how far the trials lie apart, also as
    a share of the error: their qualities fall off from the best as half a normal distribution.
    """

    accuracy: float
    rows: int
    seed_deviation: float
    seeds: int = 3
    finalists: int = 3
    trials: int = 30
    validation: int = 1500
    gaps: float = 0.1
    unlike: float = 0.5


@dataclass(frozen=True)
class Simulated:
    """One study that was made up: what the search and the finals saw, and the truth about every trial.

    `fair` is what the configuration with the best score of the search scores on average over all seeds, on the same
    validation images. More fits of the study can be made in its `world`.
    """

    truth: NDArray[np.float64]
    searched: NDArray[np.float64]
    standings: list[Standing]
    fair: float
    world: "World"

    @property
    def winner(self) -> int:
        """The trial that the finals chose."""
        return self.standings[0].trial

    @property
    def naive(self) -> int:
        """The trial with the best validation score in the search."""
        return int(np.argmax(self.searched))


def simulate(setting: Setting, random: np.random.Generator) -> Simulated:
    """Search, hold the finals, and judge all models."""
    world = World(setting, random)
    validation, test = world.images(setting.validation), world.images(setting.rows)
    searched = np.array([
        world.rights(validation, trial, world.seeds(trial, 1)).mean() for trial in range(setting.trials)
    ])  # fmt: skip
    standings = []
    for trial in map(int, np.argsort(-searched, kind="stable")[: setting.finalists]):
        seeds = world.seeds(trial, setting.seeds)
        scores = world.rights(validation, trial, seeds).mean(axis=0)
        rights = world.rights(test, trial, seeds)
        fits = [Fit(trial, 0, "final", repeat=repeat) for repeat in range(setting.seeds)]
        median = fits[int(np.argsort(scores)[(len(scores) - 1) // 2])]
        by_fit = {fit: rights[:, place] for place, fit in enumerate(fits)}
        standings.append(Standing(trial, tuple(map(float, scores)), rights=by_fit, median=median))
    standings.sort(key=lambda standing: -float(np.mean(standing.scores)))
    fair = world.fair(validation, int(np.argmax(searched)))
    return Simulated(world.truth, searched, standings, fair, world)


@dataclass
class Images:
    """How easy each image is: for every model, and for those of one configuration."""

    shared: NDArray[np.float32]
    own: dict[int, NDArray[np.float32]] = field(default_factory=dict)


@dataclass
class World:
    """The truth of one study, and its fits."""

    setting: Setting
    random: np.random.Generator
    truth: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        wanted, error = self.setting, 1 - self.setting.accuracy
        centre = ndtri(wanted.accuracy)
        slope = np.exp(-0.5 * centre**2) / np.sqrt(2 * np.pi)
        self._qualities = centre - abs(self.random.normal(size=wanted.trials)) * wanted.gaps * error / slope
        unlike = np.exp(wanted.unlike * self.random.normal(size=wanted.trials))
        self._deviations = wanted.seed_deviation * error / slope * unlike
        self.truth = ndtr(self._qualities / np.sqrt(1 + self._deviations**2))

    def images(self, rows: int) -> "Images":
        """So many images."""
        return Images(self._normal(rows, SHARED))

    def seeds(self, trial: int, count: int) -> NDArray[np.float64]:
        """The luck of so many seeds."""
        return np.asarray(self._deviations[trial] * self.random.normal(size=count))

    def rights(self, images: "Images", trial: int, luck: NDArray[np.float64]) -> Rights:
        """Which images the models of these seeds read rightly: images × seeds."""
        rows = len(images.shared)
        if trial not in images.own:
            images.own[trial] = self._normal(rows, OWN)
        easy = (images.shared + images.own[trial])[:, None] + (self._qualities[trial] + luck).astype(np.float32)
        return np.asarray(easy + self._normal((rows, len(luck)), REST) > 0)

    def fair(self, images: "Images", trial: int) -> float:
        """What a configuration scores on these images on average over all seeds."""
        easy = images.shared + images.own[trial] + self._qualities[trial]
        return float(ndtr(easy / np.sqrt(REST + self._deviations[trial] ** 2)).mean())

    def _normal(self, size: int | tuple[int, int], variance: float) -> NDArray[np.float32]:
        return np.float32(np.sqrt(variance)) * self.random.standard_normal(size, dtype=np.float32)
