"""Has a contender's data and model file at hand, and writes down whom the test split was shown to."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hpsearch import paths
from hpsearch.contenders import Contender
from hpsearch.datasets.prepared import SplitDigests
from hpsearch.errors import StudyChanged
from hpsearch.identity import Identity, other_data
from hpsearch.orders import Slot
from hpsearch.parts import data_once_more
from hpsearch.protocols import Prepared, Progress
from hpsearch.records import TestLooked
from hpsearch.space import BATCH_SIZE
from hpsearch.splits import Splits
from hpsearch.study import Study, held
from hpsearch.trial import AttemptEnd
from hpsearch.worker import process
from hpsearch.worker.rebuilding import Remains, rebuild
from hpsearch.worker.task import Task


def data_of(one: Contender, progress: Progress) -> Prepared:
    """The data that its study was made on; raise StudyChanged when they are no longer what they were."""
    data = data_once_more(one.experiment, one.session.identity["data"], progress)
    if data.digest != one.session.identity["data"]:
        message = (
            f"{one.label}: the data {data.name!r} are no longer those that the study was made on\n"
            f"  {other_data(one.session, data)}"
        )
        raise StudyChanged(message)
    return data


def model_file(project: paths.Project, one: Contender, data: Prepared, target: Path) -> Path:
    """The model's file; where only weights are kept, a new one, `target`, is made of them.

    Then it raises StudyChanged when the code that builds the model is no longer the study's, and what `rebuild` raises.
    """
    if one.weights_of is None:
        return one.file
    experiment = one.experiment
    Identity(experiment, data, project.root).refuse_other_code(one.session, one.label)
    splits = Splits(experiment, data.folder / "train" / "labels.npy", one.folder.splits)
    values, sizes = dict(one.values), experiment.train.batch_sizes
    batch = int(values.pop(BATCH_SIZE)) if len(sizes) > 1 else sizes[0]
    rows = _training_rows(splits.file(one.weights_of))
    names = data.class_names
    task = Task(data.shape, len(names), names, rows, experiment.train.epochs, batch)
    precision = json.loads(one.session.provenance.get("steps", "{}")).get("precision", "float32")
    remains = Remains(experiment.model.build, values, task, one.file.absolute(), one.weights_of.seed, precision)
    process.call(rebuild, project.root, remains, target, slot=Slot())
    return target


def _training_rows(split: Path) -> int:
    import numpy as np

    with np.load(split, allow_pickle=False) as rows:
        return len(rows["train"])


def note_looks(unread: Sequence[Contender], split: SplitDigests, why: str) -> None:
    """Write down, study by study, which models are now shown the test split, which has these digests.

    Those that it was shown to before are let pass; `why` is the command that shows it. Raises RunningElsewhere when a
    study is held by another process, StudyChanged when it is no longer the one that the models were found in.
    """
    for folder in dict.fromkeys(one.folder for one in unread if not one.judged):  # a name may be that of several
        new = [one for one in unread if one.folder == folder and not one.judged]
        if not folder.begun:  # who holds a study makes its folder anew
            raise _changed(new[0])
        with held(folder, doing=why), closing(Study(new[0].experiment, folder)) as study:
            for one in new:
                _refuse_if_changed(study, one)
            study.record(TestLooked({one.fit: one.sha256 for one in new}, why, *split), durable=True)


def _refuse_if_changed(study: Study, one: Contender) -> None:
    """Raise StudyChanged unless the fit that made the model ended as it did: no other takes as long, to the bit."""
    found = one.end
    ends = [news.body for news in study.past if isinstance(news.body, AttemptEnd)]
    last = next((end for end in reversed(ends) if end.attempt.fit == found.attempt.fit), None)
    if last is None or (last.attempt, last.seconds) != (found.attempt, found.seconds):
        raise _changed(one)


def _changed(one: Contender) -> StudyChanged:
    what = "its study is no longer what it was when this model was found"
    return StudyChanged(f"{one.label}: {what}\n  give the same command again")
