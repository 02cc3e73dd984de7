"""Makes the parts that an experiment names, each with those of the experiment's keys that it takes."""

from typing import Any

from hpsearch import plugins
from hpsearch.datasets.prepared import find_kept, prepare
from hpsearch.executors.limits import Limits
from hpsearch.experiment import Experiment
from hpsearch.loading.part_checks import source_options
from hpsearch.protocols import Executor, Prepared, Progress, Pruner, Tuner
from hpsearch.study import Study


def make_executor(experiment: Experiment) -> Executor:
    """The executor that [workers] names, with those of its options that it takes, and the limits of [train]."""
    takes = plugins.options(plugins.part("executors", experiment.workers.kind))
    known = {**experiment.workers.model_dump(exclude={"kind"}), "limits": Limits.of(experiment.train)}
    given = {key: value for key, value in known.items() if key in takes}
    executor: Executor = plugins.make("executors", experiment.workers.kind, given, "workers")
    return executor


def make_dataset(experiment: Experiment) -> Any:
    """The data set that [data] names, made as it was checked; by a kept experiment, too, where every key is given."""
    return plugins.make("datasets", experiment.data.source, source_options(experiment.data), "data")


def data_once_more(experiment: Experiment, digest: str, progress: Progress) -> Prepared:
    """The data that a study was made on, by their digest, as they are kept, wherever their source may be by now.

    Where they are not kept, those that the source has: they may be others.
    """
    source = experiment.data.source
    return find_kept(digest, source) or prepare(source, make_dataset(experiment), progress)


def make_minds(study: Study) -> tuple[Tuner, Pruner]:
    """The tuner and the pruner that [search] names, both told what the study is about."""
    wanted = study.experiment.search
    tuner: Tuner = plugins.make("tuners", wanted.tuner, wanted.tuner_options, "search.tuner_options")
    pruner: Pruner = plugins.make("pruners", wanted.pruner, wanted.pruner_options, "search.pruner_options")
    brief = study.brief(study.hand_over())
    with plugins.blaming("tuners", wanted.tuner, "it began"):
        tuner.begin(brief)
    with plugins.blaming("pruners", wanted.pruner, "it began"):
        pruner.begin(brief)
    return tuner, pruner
