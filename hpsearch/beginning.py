"""Begins a session: what is found out, checked and written down before its first trial can be asked for."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from hpsearch import files, narrowing, pace, paths, plugins, provenance
from hpsearch.aside import aside
from hpsearch.datasets.held_out import RULE
from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.experiment import Experiment
from hpsearch.identity import Identity
from hpsearch.orders import Recipe, Slot, Steps
from hpsearch.protocols import Executor
from hpsearch.records import SessionBegan, SpaceFound
from hpsearch.seeds import derive
from hpsearch.space import searched_batch_size
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trial import CUT_OFF, AttemptEnd, How
from hpsearch.warm_start import plan
from hpsearch.weighing import class_weights
from hpsearch.worker import ending, process
from hpsearch.worker.preflight import Preflight, Sample, fly
from hpsearch.worker.task import Task
from hpsearch.worker.unchanged import Code

SAMPLE_SECONDS = 600.0  # how long all sample builds may take


@dataclass(frozen=True)
class Beginning:
    """One session of a study, about to begin on an executor; `say` tells the person how far it is."""

    study: Study
    identity: Identity
    executor: Executor
    say: Callable[[str], None]

    def open(self) -> tuple[Splits, Code]:
        """Begin the session: the splits are on disk, the space is known, and the executor has its recipe.

        Gives the splits, and the code that all models of the session are built by.
        Raises an HpsearchError, before anything is recorded, where the experiment cannot be run on these data.
        """
        labels = self.identity.data.folder / "train" / "labels.npy"
        splits = Splits(self.study.experiment, labels, self.study.paths.splits)
        # Now, while TensorFlow is still being imported elsewhere.
        if rare := splits.prepare(self.identity.data.class_names):
            self.say(f"warning: {rare}")
        weights = class_weights(self.study.experiment.train.class_weight, self.identity.data.class_names, labels)
        steps, code = self._begin(weights)
        self.executor.open(self._recipe(weights, steps, code))
        return splits, code

    def _begin(self, weights: tuple[float, ...]) -> tuple[Steps, Code]:
        study, before = self.study, self.study.state.session
        facts = before.provenance if before else {}
        # Whether TensorFlow can still be imported: in a new study the sample builds show it.
        asked = aside(self.executor.call, bool) if before else None
        # What is measured once a machine is measured beside the sample builds.
        train, place = study.experiment.train, (_placed(self.executor), self.executor.where)
        settling = aside(pace.settle, train, train.epochs * self._rows(), facts, *place)
        begun = study.state.courses or study.state.planned
        planned = None if begun else plan(paths.Project(self.identity.root), study.experiment)
        found = study.state.space  # there is none where the last session was left between its first two records
        known = Preflight(found, before.modules) if before and found else self._preflight(weights)
        steps: Steps = settling.result()
        if asked:
            asked.result()
        code = Code.read(self.identity.root, known.modules)
        public, digests = provenance.public(study.experiment), self.identity.digests(known.modules)
        self.identity.refuse_if_changed(study.state)  # once more: TensorFlow took its seconds
        lost = "its session was left at once" if study.state.ended else CUT_OFF
        for attempt in list(study.state.running.values()):
            study.record(AttemptEnd(attempt, How.LOST, 0.0, reason=lost))
        packages = _packages(study.experiment)
        for upgrade in provenance.upgrades(facts, packages | provenance.versions(), packages):
            self.say(f"warning: since the last session {upgrade}: further trials may differ a little")
        facts = {**packages, **_facts(self.identity, self.executor), "steps": json.dumps(asdict(steps))}
        study.record(SessionBegan(study.experiment.name, public, digests, known.modules, facts))
        if planned:
            study.record(planned)
        study.record(SpaceFound(known.parameters), durable=True)
        files.write_text(study.paths.experiment, json.dumps(public, indent=2) + "\n")
        return steps, code

    def _preflight(self, weights: tuple[float, ...]) -> Preflight:
        self.say("getting ready: TensorFlow is imported, and a few models are built to find the space")
        try:
            preflight: Preflight = self.executor.call(fly, self._sample(weights), patience=SAMPLE_SECONDS)
        except ending.ChildDied as died:
            if not died.how:  # it was never born
                raise
            what, mend = f"the process of the sample builds {died.how}", "see what build_model does beside building"
            raise ExperimentRefused([Mistake("model.build", what, mend)]) from died
        wanted, sizes = self.study.experiment.wishes, self.study.experiment.train.batch_sizes
        searched = [searched_batch_size(sizes)] if len(sizes) > 1 else []
        for mistake in [*preflight.doubts, *narrowing.never_asked(wanted, [*preflight.parameters, *searched])]:
            self.say(f"warning: {mistake}")
        return preflight

    def _sample(self, weights: tuple[float, ...]) -> Sample:
        wanted, data = self.study.experiment, self.identity.data
        epochs, batch = wanted.train.epochs, wanted.train.batch_sizes[0]
        task = Task(data.shape, len(data.class_names), data.class_names, self._rows(), epochs, batch)
        return Sample(
            self.identity.root, wanted.model.build, task, derive(wanted.seed, "preflight"),
            wanted.wishes, wanted.objective.metric, wanted.train.loop,
            "float32" if wanted.train.precision == "auto" else wanted.train.precision,  # "auto" is still being measured
            bool(wanted.data.folds or wanted.final.refit), weights,
        )  # fmt: skip

    def _rows(self) -> int:
        """How many rows a fit of the search trains on."""
        wanted = self.study.experiment.data
        return round(self.identity.data.train_rows * (1 - (wanted.holdout or 1 / (wanted.folds or 1))))

    def _recipe(self, weights: tuple[float, ...], steps: Steps, code: Code) -> Recipe:
        wanted, data, train = self.study.experiment, self.identity.data, self.study.experiment.train
        return Recipe(
            self.identity.root, wanted.model.build, data.folder, files.make(self.study.paths.fits).resolve(),
            data.class_names, wanted.objective, train.epochs, train.batch_sizes,
            train.early_stopping, train.loop, weights, steps, wanted.final.keep_epochs, wanted.races, code.texts,
        )  # fmt: skip


def _packages(experiment: Experiment) -> dict[str, str]:
    """The packages of others whose parts search, with their versions."""
    search = experiment.search
    named = [("tuners", search.tuner), ("pruners", search.pruner), ("datasets", experiment.data.source)]
    return plugins.brought([*named, ("executors", experiment.workers.kind)])


def _facts(identity: Identity, executor: Executor) -> dict[str, str]:
    """What is good to know of a session's surroundings."""
    data = identity.data
    about = {"data_digest": data.digest, "data_name": data.name, "test_from": data.test_from}
    about["image_shape"] = json.dumps(data.shape)
    about |= {"held_out_by": str(RULE)} if data.test_from == "content-hash" else {}
    made_by = {"hpsearch_source": provenance.source_digest(), "git_commit": provenance.git_commit(identity.root)}
    where = {"cards": executor.where} if executor.where else {}
    return {**provenance.versions(), **provenance.machine(), **where, **made_by, **about}


def _placed(executor: Executor) -> Callable[..., Any]:
    """Calls a function in a fresh process that has what a worker has."""
    return executor.call if executor.where else partial(process.call, slot=Slot())
