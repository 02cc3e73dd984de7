"""Compares finished models on one test split: accuracy, pair by pair, size, and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hpsearch import looks, paths
from hpsearch.contender_files import data_of, model_file, note_looks, refuse_in_use
from hpsearch.contenders import Contender
from hpsearch.datasets.prepared import SplitDigests, load, test_digests
from hpsearch.errors import ExperimentRefused
from hpsearch.identity import DIGITS
from hpsearch.orders import Slot
from hpsearch.predictions import recall
from hpsearch.protocols import Prepared, Progress
from hpsearch.statistics import accuracy_of_one, mcnemar
from hpsearch.worker import process
from hpsearch.worker.measuring import Measured, measure, timed_together

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNLIKELY = 0.05


@dataclass(frozen=True)
class Compared:
    """One model: `interval` holds its accuracy on new images 95 times in 100. Times in milliseconds and seconds.

    `trained_on` says in words which rows of its training split it learnt from.
    """

    name: str
    study: str
    trial: int
    model_accuracy: float
    interval: tuple[float, float]
    parameters: int
    bytes: int
    single_ms: float
    batch_ms: float
    training_seconds: float
    trained_on: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class Pair:
    """Two models on the same images: how many only the one, or only the other reads right, and how rare that is.

    `p` is the exact McNemar test's, adjusted for the number of pairs (Holm 1979, Scand. J. Stat. 6:65).
    """

    one: str
    other: str
    only_one_right: int
    only_other_right: int
    p: float

    @property
    def told_apart(self) -> bool:
        """Whether the data tell the two apart."""
        return self.p < UNLIKELY


@dataclass(frozen=True)
class Comparison:
    """All of it; `looked` says how many models have been shown the test split by now, of each study: see `looks`.

    `test_digest` is the SHA-256 of the split as the first model is shown it; those in `inverted` are shown its images'
    negatives, as `data.invert` makes them. `batch` is the number of images at once that each `batch_ms` is of.
    """

    models: tuple[Compared, ...]
    pairs: tuple[Pair, ...]
    test_rows: int
    test_digest: str
    inverted: tuple[str, ...]
    looked: Mapping[str, int | None]
    batch: int


def compare(project: paths.Project, contenders: Sequence[Contender], progress: Progress) -> Comparison:
    """Compare models on their common test split; one that it was never shown to is noted in its study's ledger first.

    Raises ExperimentRefused when two are one model or their test splits differ, StudyChanged when data are no longer
    what they were, RunningElsewhere when a look must be noted of a study that runs, and what rebuilding a model raises.
    """
    _refuse_twins(contenders)
    refuse_in_use(contenders)
    prepared = [data_of(one, progress) for one in contenders]
    splits = _common_test(contenders, prepared)
    known = [_kept_reading(one) for one in contenders]
    with TemporaryDirectory(prefix="hpsearch-compare-") as scratch:
        files = [
            model_file(project, one, data, Path(scratch) / f"{place}.keras")
            for place, (one, data) in enumerate(zip(contenders, prepared, strict=True))
        ]
        unread = [reading is None for reading in known]
        shown = zip(contenders, splits, unread, strict=True)
        note_looks([(one, split) for one, split, new in shown if new], "compare")
        builds, folders = [one.experiment.model.build for one in contenders], [data.folder for data in prepared]
        measured = process.call(measure, project.root, builds, folders, files, unread, slot=Slot(threads=0))
    labels = load(prepared[0].folder, "test")[1]
    rights = [
        labels == (found.predicted if reading is None else reading)
        for reading, found in zip(known, measured, strict=True)
    ]
    models, names = tuple(map(_compared, contenders, measured, rights)), [one.label for one in contenders]
    studies = dict.fromkeys(one.folder.folder.name for one in contenders)
    looked = looks.of_split(project, {digest for split in splits for digest in split}, first=list(studies))
    inverted = tuple(name for name, its in zip(names, splits, strict=True) if its != splits[0])
    together = timed_together(prepared[0].shape)
    return Comparison(models, _pairs(names, rights), len(labels), splits[0].split, inverted, looked, together)


def _refuse_twins(contenders: Sequence[Contender]) -> None:
    """A model beside itself tells nothing, and makes all other differences less sure: each pair counts."""
    for one, other in combinations(contenders, 2):
        if one.sha256 == other.sha256:
            message = f"{one.label} and {other.label} are the same model\n  name it once"
            raise ExperimentRefused(message)


def _common_test(contenders: Sequence[Contender], prepared: Sequence[Prepared]) -> list[SplitDigests]:
    """The digests of the one test split, as each is shown it; raise ExperimentRefused where there are several.

    One with all images' negatives is the same: the rows lie alike, and each model is asked as it was trained.
    """
    digests = [test_digests(data) for data in prepared]
    if any(its.split not in {digests[0].split, digests[0].negative} for its in digests):
        lines = [
            f"  {one.label}: {data.test_rows} rows of {data.name}, SHA-256 {its.split[:DIGITS]}"
            for one, data, its in zip(contenders, prepared, digests, strict=True)
        ]
        if len({its.images for its in digests}) == 1:
            lines.append("  they hold the same images in another order: search both on one and the same source")
        message = "their test splits differ, so their figures cannot be compared:\n" + "\n".join(lines)
        raise ExperimentRefused(message)
    return digests


def _kept_reading(one: Contender) -> "NDArray[np.int64] | None":
    """What the model read on the test split when it was judged; None where that is not kept."""
    file = one.folder.predictions / f"{one.fit}.npz"
    if not one.judged or not file.exists():
        return None
    return recall(file, one.session.identity["data"]).predicted


def _compared(one: Contender, found: Measured, rights: "NDArray[np.bool_]") -> Compared:
    interval = accuracy_of_one(int(rights.sum()), len(rights))
    return Compared(
        one.label, one.folder.folder.name, one.trial, float(rights.mean()), interval, found.parameters, found.bytes,
        found.single_ms, found.batch_ms, one.end.seconds, one.trained_on, one.values,
    )  # fmt: skip


def _pairs(labels: Sequence[str], rights: Sequence["NDArray[np.bool_]"]) -> tuple[Pair, ...]:
    pairs = []
    for (one, its), (other, others) in combinations(zip(labels, rights, strict=True), 2):
        only, only_other = int((its & ~others).sum()), int((others & ~its).sum())
        pairs.append(Pair(one, other, only, only_other, mcnemar(only, only_other)))
    return tuple(replace(pair, p=p) for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True))


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust p values for their number: the smallest counts so many times, the next one time less, and so on."""
    adjusted, least = [0.0] * len(chances), 0.0
    for place, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        least = max(least, min(1.0, chances[index] * (len(chances) - place)))
        adjusted[index] = least
    return adjusted
