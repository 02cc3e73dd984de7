"""Which fits a trial has: a fold times a repeat each, every one under a seed of its own."""

from collections.abc import Iterator

from hpsearch.experiment import Data, Experiment
from hpsearch.seeds import derive
from hpsearch.trial import Fit


def search_fits(experiment: Experiment, trial: int) -> Iterator[Fit]:
    """The fits whose mean is the trial's score, in the order in which they are made."""
    for repeat in range(experiment.data.repeats):
        for fold in range(experiment.data.folds or 1):
            yield Fit(trial, derive(experiment.seed, "fit", trial, repeat, fold), "search", fold, repeat)


def part(data: Data, fit: Fit) -> str:
    """What a fit is of its trial: "fold_3", "repeat_1", "repeat_1.fold_3", or "" where it is all of it."""
    repeat = [f"repeat_{fit.repeat}"] if data.repeats > 1 else []
    return ".".join([*repeat, *([f"fold_{fit.fold}"] if data.folds else [])])
