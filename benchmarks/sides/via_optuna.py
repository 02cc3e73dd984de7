"""Optuna with Keras: TPE and successive halving, in this process or in several that share a journal."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from hpsearch.worker.tether import die_with_parent
from sides.job import Diary, Job

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "benchmark"


def main(path: str, process: int | None) -> None:
    """Do the job; where it wants several processes, this one only starts them and waits."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    job = Job.load(path)
    if process is not None:
        _search(job, optuna.load_study(study_name=NAME, storage=_journal(job), **_minds(job, process)), process)
    elif job.processes == 1:
        _search(job, _study(job, None), 0)
    else:
        _study(job, _journal(job))
        command = [sys.executable, "-m", "sides.via_optuna", path]
        hands = [
            subprocess.Popen([*command, str(number)], preexec_fn=die_with_parent)  # noqa: S603, PLW1509  our own
            for number in range(job.processes)
        ]
        codes = [hand.wait() for hand in hands]
        sys.exit("a process of the study failed" if any(codes) else None)


def _journal(job: Job) -> Any:
    return JournalStorage(JournalFileBackend(str(Path(job.project) / "optuna.log")))


def _minds(job: Job, process: int) -> dict[str, Any]:
    """The sampler for spaces with branches; the pruner as it comes, which judges from the first epoch, or later."""
    sampler = optuna.samplers.TPESampler(
        seed=job.seed + 1000 * process, multivariate=True, group=True, constant_liar=job.processes > 1
    )
    halving = optuna.pruners.SuccessiveHalvingPruner(min_resource=job.first_rung or "auto")
    return {"sampler": sampler, "pruner": optuna.pruners.NopPruner() if job.fixed else halving}


def _study(job: Job, storage: Any) -> Any:
    """A new study, in memory without a storage; fixed configurations are put into its queue."""
    study = optuna.create_study(study_name=NAME, storage=storage, direction="maximize", **_minds(job, 0))
    for number in range(job.fixed):
        study.enqueue_trial({"configuration": number})
    return study


def _search(job: Job, study: Any, process: int) -> None:
    from sides import training

    if job.processes > 1:  # each its share of the cores, or they would stand in each other's way
        training.use_threads(max(1, job.cores // job.processes))
    keywords = training.how_to_fit(job)
    if process == 0:
        Diary(job.diary).note("began")
        if job.defaults_first:
            study.enqueue_trial(training.defaults(job))

    def objective(trial: Any) -> float:
        if job.fixed and trial.number >= job.fixed:  # the other process took the last of the queue meanwhile
            trial.study.stop()
            raise optuna.TrialPruned
        model = training.build(job, training.asking(job, lambda asked: training.suggested(trial, asked)))
        history = model.fit(**keywords, callbacks=[training.Noting(job, _reporter(trial))])
        return float(max(history.history["val_accuracy"]))

    ends = [optuna.study.MaxTrialsCallback(job.fixed, states=_TAKEN)] if job.fixed else []
    study.optimize(objective, callbacks=ends)


_TAKEN = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING)


def _reporter(trial: Any) -> "Callable[[int, float], None]":
    def hear(epoch: int, accuracy: float) -> None:
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return hear


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else None)
