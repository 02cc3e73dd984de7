"""Compares finished models on one test split: accuracy, pair by pair, size, and time."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hpsearch import looks, paths
from hpsearch.contenders import Contender
from hpsearch.datasets.prepared import load, test_digest
from hpsearch.errors import ExperimentRefused, StudyChanged
from hpsearch.orders import Slot
from hpsearch.parts import make_dataset
from hpsearch.predictions import recall
from hpsearch.protocols import Prepared, Progress
from hpsearch.records import TestLooked
from hpsearch.splits import Splits
from hpsearch.statistics import accuracy_of_one, mcnemar
from hpsearch.study import Study, held
from hpsearch.worker import process
from hpsearch.worker.fit import BATCH_SIZE
from hpsearch.worker.measuring import Measured, measure
from hpsearch.worker.rebuilding import Remains, rebuild
from hpsearch.worker.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNLIKELY = 0.05
DIGITS = 12  # of a digest, for people


@dataclass(frozen=True)
class Compared:
    """One model: `interval` holds its accuracy on new images 95 times in 100. Times in milliseconds and seconds."""

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
    """All of it; `looked` says how many models have been shown the test split by now, of each study: see `looks`."""

    models: tuple[Compared, ...]
    pairs: tuple[Pair, ...]
    test_rows: int
    test_digest: str
    looked: Mapping[str, int | None]


def compare(project: paths.Project, contenders: Sequence[Contender], progress: Progress) -> Comparison:
    """Compare models on their common test split; one that it was never shown to is noted in its study's ledger first.

    Raises ExperimentRefused when their test splits differ, StudyChanged when data are no longer what they were,
    RunningElsewhere when a look must be noted of a study that runs, and what rebuilding a model raises.
    """
    prepared = [_data_of(one, progress) for one in contenders]
    split = _common_test(contenders, prepared)
    known = [_kept_reading(one) for one in contenders]
    with TemporaryDirectory(prefix="hpsearch-compare-") as scratch:
        files = [
            _model_file(project, one, data, Path(scratch) / f"{place}.keras")
            for place, (one, data) in enumerate(zip(contenders, prepared, strict=True))
        ]
        _note_looks([one for one, reading in zip(contenders, known, strict=True) if reading is None], split)
        builds, unread = [one.experiment.model.build for one in contenders], [reading is None for reading in known]
        measured = process.call(measure, project.root, builds, prepared[0].folder, files, unread, slot=Slot(threads=0))
    labels = load(prepared[0].folder, "test")[1]
    rights = [
        labels == (found.predicted if reading is None else reading)
        for reading, found in zip(known, measured, strict=True)
    ]
    models = tuple(map(_compared, contenders, measured, rights))
    named = dict.fromkeys(one.folder.folder.name for one in contenders)
    looked = looks.of_split(project, {split, *(data.digest for data in prepared)}, first=list(named))
    return Comparison(models, _pairs([one.label for one in contenders], rights), len(labels), split, looked)


def _data_of(one: Contender, progress: Progress) -> Prepared:
    data: Prepared = make_dataset(one.experiment).prepare(progress)
    if data.digest != one.session.identity["data"]:
        message = (
            f"{one.label}: the data {data.name!r} are no longer those that the study was made on\n"
            f"  SHA-256 {one.session.identity['data'][:DIGITS]} then, {data.digest[:DIGITS]} now"
        )
        raise StudyChanged(message)
    return data


def _common_test(contenders: Sequence[Contender], prepared: Sequence[Prepared]) -> str:
    """The digest of the one test split; raise ExperimentRefused where there are several."""
    digests = [test_digest(data) for data in prepared]
    if len(set(digests)) > 1:
        lines = [
            f"  {one.label}: {data.test_rows} rows of {data.name}, SHA-256 {digest[:DIGITS]}"
            for one, data, digest in zip(contenders, prepared, digests, strict=True)
        ]
        message = "their test splits differ, so their figures cannot be compared:\n" + "\n".join(lines)
        raise ExperimentRefused(message)
    return digests[0]


def _kept_reading(one: Contender) -> "NDArray[np.int64] | None":
    """What the model read on the test split when it was judged; None where that was not kept, as by older versions."""
    file = one.folder.predictions / f"{one.fit}.npz"
    if not one.judged or not file.exists():
        return None
    return recall(file, one.session.identity["data"]).predicted


def _model_file(project: paths.Project, one: Contender, data: Prepared, target: Path) -> Path:
    """The model's file; where only weights are kept, a new one is made of them."""
    if one.weights_of is None:
        return one.file
    experiment = one.experiment
    splits = Splits(experiment, data.folder / "train" / "labels.npy", one.folder.splits)
    values, sizes = dict(one.values), experiment.train.batch_sizes
    batch = int(values.pop(BATCH_SIZE)) if len(sizes) > 1 else sizes[0]
    rows = _training_rows(splits.file(one.weights_of))
    names = data.class_names
    task = Task(data.shape, len(names), names, rows, experiment.train.epochs, batch)
    precision = json.loads(one.session.provenance.get("steps", "{}")).get("precision", "float32")
    remains = Remains(experiment.model.build, values, task, one.file.absolute(), precision)
    process.call(rebuild, project.root, remains, target, slot=Slot())
    return target


def _training_rows(split: Path) -> int:
    import numpy as np

    with np.load(split, allow_pickle=False) as rows:
        return len(rows["train"])


def _note_looks(unread: Sequence[Contender], split: str) -> None:
    """Write down, study by study, which models are now shown the test split."""
    for name in dict.fromkeys(one.session.name for one in unread if not one.judged):
        new = [one for one in unread if one.session.name == name and not one.judged]
        with held(new[0].folder), closing(Study(new[0].experiment, new[0].folder)) as study:
            study.record(TestLooked({one.fit: one.sha256 for one in new}, "compare", split), durable=True)


def _compared(one: Contender, found: Measured, rights: "NDArray[np.bool_]") -> Compared:
    interval = accuracy_of_one(int(rights.sum()), len(rights))
    return Compared(
        one.label, one.session.name, one.trial, float(rights.mean()), interval, found.parameters, found.bytes,
        found.single_ms, found.batch_ms, one.seconds, one.values,
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
