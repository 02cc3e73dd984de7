"""Trains a trial once more, under the same seeds on the same rows; the study and its ledger are not touched."""

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hpsearch import files, paths, provenance
from hpsearch.errors import ExperimentRefused, StudyChanged
from hpsearch.experiment import Experiment
from hpsearch.identity import Identity, bring_back
from hpsearch.orders import Order, Question, Recipe, Steps
from hpsearch.parts import data_once_more, make_executor
from hpsearch.protocols import Executor, Prepared, Progress
from hpsearch.sameness import Replayed, Sameness, failed
from hpsearch.splits import Splits
from hpsearch.study import existing, read
from hpsearch.trial import Attempt, AttemptEnd, Fit
from hpsearch.trial_story import TrialStory, tell
from hpsearch.weighing import class_weights
from hpsearch.worker import ending

PATIENCE_SECONDS = 0.2
ALIKE = ("keras", "tensorflow", "numpy")  # the packages whose versions may decide over the last bit


@dataclass(frozen=True)
class Replay:
    """A replay of one trial; `hear` is told in words of each epoch, `progress` of how far data are prepared."""

    project: paths.Project
    study: str
    number: int
    hear: Callable[[str], None]
    progress: Progress

    def run(self) -> Replayed:
        """Train the trial's fits again and compare.

        Raises StudyChanged when code or data are no longer those of the study, ExperimentRefused when there is nothing
        to compare with, and what data sets and executors raise.
        """
        story = tell(read(self.project, self.study), self.number)
        _refuse_if_empty(story)
        experiment = _with_few_workers(Experiment.model_validate(story.session.experiment), story)
        executor = make_executor(experiment)
        with ExitStack() as stack:
            stack.callback(ending.end_started)
            stack.callback(executor.close)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpsearch-replay-")))
            executor.start()
            data = data_once_more(experiment, story.session.identity["data"], self.progress)
            _refuse_if_changed(Identity(experiment, data, self.project.root), story)
            executor.open(self._recipe(experiment, data, story, scratch))
            splits = Splits(experiment, data.folder / "train" / "labels.npy", scratch / "splits")
            return self._compare(story, executor, splits).told(_changed_versions(story))

    def _recipe(self, experiment: Experiment, data: Prepared, story: TrialStory, scratch: Path) -> Recipe:
        train = experiment.train
        weights = class_weights(train.class_weight, data.class_names, data.folder / "train" / "labels.npy")
        steps = Steps(**json.loads(story.session.provenance.get("steps", "{}")))
        return Recipe(
            self.project.root, experiment.model.build, data.folder, files.make(scratch / "fits").resolve(),
            data.class_names, experiment.objective, train.epochs, train.batch_sizes,
            train.early_stopping, train.loop, weights, steps,
        )  # fmt: skip

    def _compare(self, story: TrialStory, executor: Executor, splits: Splits) -> Sameness:
        sameness, waiting, running = Sameness(story), _comparable(story), 0
        while waiting or running:
            while waiting and executor.free():
                fit = waiting.pop(0)
                executor.submit(_order(story, fit, self._split(splits.file(fit))))
                running += 1
            for event in executor.events(PATIENCE_SECONDS):
                if words := sameness.hear(event):
                    self.hear(words)
                if isinstance(event, Question):
                    executor.answer(event.attempt, event.parameter.default)
                running -= isinstance(event, AttemptEnd)
        return sameness

    def _split(self, made_anew: Path) -> Path:
        """The study's own split where it is kept, else the one that the same seed gives."""
        kept = existing(self.project, self.study).splits / made_anew.name
        return kept if kept.exists() else made_anew


def _comparable(story: TrialStory) -> list[Fit]:
    """The fits that had an epoch, and those that failed by themselves: the others were stopped before they began."""
    return [fit for fit in story.search_fits if story.measures.get(fit) or failed(story.end(fit))]


def _refuse_if_empty(story: TrialStory) -> None:
    if not _comparable(story):
        message = f"trial {story.number} has no epoch yet to compare with"
        raise ExperimentRefused(message)


def _with_few_workers(experiment: Experiment, story: TrialStory) -> Experiment:
    """The same experiment, with no more processes than a trial of one fit needs."""
    if len(_comparable(story)) > 1:
        return experiment
    return experiment.model_copy(update={"workers": experiment.workers.model_copy(update={"count": 1})})


def _refuse_if_changed(identity: Identity, story: TrialStory) -> None:
    now, before = identity.digests(story.session.modules), story.session.identity
    changed = [what for what in ("data", "code") if now[what] != before[what]]
    if changed:
        what, mend = " and ".join(changed), bring_back(story.session)
        message = f"the study's {what} changed since it ran, so there is nothing to compare\n  {mend}"
        raise StudyChanged(message)


def _order(story: TrialStory, fit: Fit, split: Path) -> Order:
    """The fit once more, up to the epoch that it had come to; one that failed is to fail again by itself."""
    values = {**story.fixed, **story.values}
    until = None if failed(story.end(fit)) else max(story.measures[fit])
    return Order(Attempt(fit), split, values, until, complete=story.built is not None)


def _changed_versions(story: TrialStory) -> list[str]:
    now, before = provenance.versions(), story.session.provenance
    return [
        f"{package} {before[package]} -> {now.get(package, 'none')}"
        for package in ALIKE
        if before.get(package) and before[package] != now.get(package)
    ]
