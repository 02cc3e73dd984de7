"""Ray Tune: one-CPU workers that are kept from trial to trial, random or TPE search, ASHA."""

import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # A stopped fit may need more than Ray's 2 s to let go of its rows: Ray would drop trial and worker unsaid.
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    "RAY_worker_niceness": "0",  # Ray would have its workers wait behind everything else on the machine
}

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from sides.job import Diary, Job


def main(job: Job) -> None:
    """Train the fixed configurations, or search by the job's algorithm."""
    ray.init(num_cpus=job.cores, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    trainable = tune.with_resources(tune.with_parameters(_train, job=job), {"cpu": 1})
    how = _fixed(job) if job.fixed else _searching(job)
    tuner = tune.Tuner(
        trainable,
        param_space=how.pop("space"),
        tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", reuse_actors=True, **how),
        run_config=tune.RunConfig(storage_path=str(Path(job.project) / "ray"), verbose=0),
    )
    Diary(job.diary).note("began")
    failures = tuner.fit().errors
    ray.shutdown()
    if failures:
        raise failures[0]


def _fixed(job: Job) -> dict[str, Any]:
    return {"space": {"values": {"configuration": tune.grid_search(list(range(job.fixed)))}}}


def _searching(job: Job) -> dict[str, Any]:
    how = {
        "scheduler": ASHAScheduler(max_t=job.epochs, grace_period=job.first_rung or 1),
        "num_samples": -1,
        "max_concurrent_trials": job.cores,
    }
    if job.algorithm.startswith("random"):
        return how | {"space": {"seed": tune.randint(0, 2**31)}, "search_alg": _random(job)}
    return how | {"space": {}, "search_alg": _tpe(job)}


def _random(job: Job) -> Any:
    from ray.tune.search import BasicVariantGenerator

    return BasicVariantGenerator(random_state=job.seed, max_concurrent=job.cores)


class Space:
    """A define-by-run space: the values that come from building the model here. Ray pickles it with the search."""

    def __init__(self, job: Job) -> None:
        """Build for this job."""
        self._job = job

    def __call__(self, trial: Any) -> dict[str, Any]:
        """The values of an Optuna trial."""
        from sides import training

        hp = training.asking(self._job, lambda asked: training.suggested(trial, asked))
        training.build(self._job, hp)
        return {"values": dict(hp.values)}


def _tpe(job: Job) -> Any:
    import optuna

    sampler = optuna.samplers.TPESampler(seed=job.seed, multivariate=True, group=True, constant_liar=True)
    return OptunaSearch(space=Space(job), metric="val_accuracy", mode="max", sampler=sampler)


def _train(config: dict[str, Any], job: Job) -> None:
    from sides import training

    training.use_threads(1)
    if "seed" in config:
        hp = training.asking(job, lambda asked: training.drawn(config["seed"], asked))
    else:
        hp = training.knowing(job, config["values"])
    model = training.build(job, hp)
    noting = training.Noting(job, lambda _epoch, accuracy: tune.report({"val_accuracy": accuracy}))
    model.fit(**training.how_to_fit(job), callbacks=[noting])


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
