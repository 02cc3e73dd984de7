"""KerasTuner: RandomSearch, Hyperband or BayesianOptimization, in one process, as its documentation shows it."""

import sys
from typing import Any

import keras_tuner as kt

from sides import training
from sides.job import Diary, Job

FOREVER = 100_000  # trials; the clock ends the search


def main(job: Job) -> None:
    """Search by the job's algorithm."""
    keywords = training.how_to_fit(job)
    task = training.task(job)

    def build(hp: Any) -> Any:
        hp.task = task
        return training.build(job, hp)

    tuner = _tuner(job, build)
    Diary(job.diary).note("began")
    tuner.search(**keywords, callbacks=[training.Noting(job)])


def _tuner(job: Job, build: Any) -> Any:
    about: dict[str, Any] = {
        "hypermodel": build, "objective": "val_accuracy", "seed": job.seed + 1,  # it takes 0 for "none given"
        "directory": job.project, "project_name": "keras-tuner", "overwrite": True,
    }  # fmt: skip
    trials = job.fixed or FOREVER
    match job.algorithm:
        case "hyperband":
            return kt.Hyperband(**about, max_epochs=job.epochs, hyperband_iterations=None)
        case "bayesian":
            return kt.BayesianOptimization(**about, max_trials=trials)
    tuner = kt.RandomSearch(**about, max_trials=trials)
    if job.fixed:  # so few values collide often, and it would give up after 20 collisions
        tuner.oracle._max_collisions = FOREVER  # noqa: SLF001  it has no public way
    return tuner


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
