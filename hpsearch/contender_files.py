"""Has a contender's data and model file at hand, and writes down whom the test split was shown to."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from hpsearch import paths
from hpsearch.backup import Backup
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
from hpsearch.study import Study, held, refuse_if_held
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


def refuse_in_use(contenders: Iterable[Contender]) -> None:
    """Raise RunningElsewhere, before long work, where a look that has to be noted could not be as things are now."""
    for folder in dict.fromkeys(one.folder for one in contenders if not one.judged):
        refuse_if_held(folder)


def note_looks(shown: Sequence[tuple[Contender, SplitDigests]], why: str) -> None:
    """Write down, study by study, which models are now shown the test split, which has these digests.

    Those that it was shown to before are let pass; `why` is the command that shows it. Nothing is written, and it
    raises RunningElsewhere when any of the studies is held by another process, StudyChanged when one is no longer that
    in which its models were found.
    """
    with ExitStack() as stack:
        studies: dict[paths.Study, Study] = {}
        looks: dict[paths.Study, TestLooked] = {}
        for one, split in shown:
            if one.judged:
                continue
            if one.folder not in studies:  # a name may be that of several
                studies[one.folder] = stack.enter_context(_opened(one, why))
            _refuse_if_changed(studies[one.folder], one)
            models = looks[one.folder].models if one.folder in looks else {}
            looks[one.folder] = TestLooked({**models, one.fit: one.sha256}, why, *split)
        for folder, look in looks.items():
            studies[folder].record(look, durable=True)


@contextmanager
def _opened(one: Contender, why: str) -> Iterator[Study]:
    """Within: the contender's study is held; what is recorded gets into the ledger's backup at the end."""
    if not one.folder.begun:  # who holds a study makes its folder anew
        raise _changed(one)
    backup = Backup(one.folder)
    with held(one.folder, doing=why), closing(Study(one.experiment, one.folder)) as study, closing(backup):
        study.listen(backup.hear)
        yield study


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
