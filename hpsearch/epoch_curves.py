"""Test accuracy epoch by epoch, for the finals' models whose every epoch was kept.

It is computed in the one opening of the test split, from weights that were listed in the ledger before; by then the
winner and its model are chosen, by validation, and no epoch is ever chosen by its test accuracy.
"""

from collections.abc import Mapping
from pathlib import Path

from hpsearch import winner
from hpsearch.protocols import Executor, Prepared
from hpsearch.records import TestCurve
from hpsearch.study import Study
from hpsearch.trial import Fit
from hpsearch.worker.epoch_judging import Run, judge_epochs
from hpsearch.worker.unchanged import Code

Models = Mapping[Fit, Path]


def listed(study: Study, models: Models) -> dict[str, tuple[str, ...]]:
    """The digests of each fit's weights, epoch by epoch; a fit that lacks those of an epoch is left out."""
    digests = {}
    for fit in models if study.experiment.final.keep_epochs else ():
        files = _files(study, fit, study.state.finals[fit].epochs)
        if all(file.exists() for file in files):
            digests[fit.name] = tuple(winner.digest(file) for file in files)
    return digests


def judge(study: Study, executor: Executor, code: Code, data: Prepared, models: Models) -> None:
    """Record the curve of every fit that the opening lists and that has none yet; raise StateDamaged, StudyChanged."""
    opened = study.state.opened.epochs if study.state.opened else {}
    wanted = {fit: model for fit, model in models.items() if fit.name in opened.keys() - study.state.test_curves.keys()}
    for fit, model in wanted.items():
        files = _files(study, fit, len(opened[fit.name]))
        for file, digest in zip(files, opened[fit.name], strict=True):
            winner.verify(file, digest)
        run = Run(model, files)
        with code.kept():
            accuracies = executor.call(judge_epochs, code.root, study.experiment.model.build, data.folder, run)
        study.record(TestCurve(fit.name, accuracies), durable=True)


def _files(study: Study, fit: Fit, epochs: int) -> tuple[Path, ...]:
    return tuple(study.paths.fit(fit.name).epoch(epoch) for epoch in range(1, epochs + 1))
