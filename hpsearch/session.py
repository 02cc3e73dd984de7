"""One session of a study, from the experiment to the report: who is made when, and who is told what."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from hpsearch import narrowing, paths, plugins, provenance
from hpsearch.crew import Crew
from hpsearch.errors import HpsearchError, Interrupted, StudyChanged
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.leaving import Leave, told_to_leave
from hpsearch.orders import Recipe
from hpsearch.outbox import Outbox
from hpsearch.protocols import Brief, Executor, Prepared, Progress, Tracker
from hpsearch.records import SessionBegan, SessionEnded, SpaceFound, Verdict
from hpsearch.search import search
from hpsearch.seeds import derive
from hpsearch.splits import Splits
from hpsearch.study import Study, held
from hpsearch.trial import AttemptEnd, How
from hpsearch.winner import lay_out
from hpsearch.worker.preflight import Preflight, fly
from hpsearch.worker.task import Task

DRAIN_SECONDS = 60.0


@dataclass
class Surroundings:
    """What a session needs of the place it runs in."""

    project: paths.Project
    progress: Progress
    say: Callable[[str], None]
    watch: Callable[[Experiment, int], Tracker]
    mlflow: Callable[[Experiment, Executor], Callable[[], Tracker] | None]


class Session:
    """Runs one experiment once: to its end, or to where it is interrupted."""

    def __init__(self, experiment: Experiment, around: Surroundings, *, reopen: bool = False) -> None:
        """Prepare nothing yet; `reopen` allows more trials after the test split was opened."""
        self._experiment, self._around, self._reopen = experiment, around, reopen
        self._folder = around.project.study(experiment.name)

    def run(self) -> Verdict:
        """Search, hold the finals and give the verdict; raise an HpsearchError when it comes to none."""
        executor = make_executor(self._experiment)
        executor.start()
        with ExitStack() as stack:
            stack.callback(executor.close)
            stack.enter_context(held(self._folder))
            paths.make(self._around.project.runs)
            data = make_dataset(self._experiment).prepare(self._around.progress)
            study = Study(self._experiment, self._folder)
            stack.callback(study.close)
            self._refuse_if_changed(study, data)
            if self._complete(study):
                return self._already(study)
            splits = Splits(self._experiment, data.folder / "train" / "labels.npy", self._folder.splits)
            splits.prepare()  # now, while TensorFlow is still being imported elsewhere
            self._begin(study, data, executor)
            return self._search(stack, study, Crew(study, executor, splits), executor, data)

    def _refuse_if_changed(self, study: Study, data: Prepared) -> None:
        before = study.state.session
        if before is None:
            return
        now = self._identity(data, before.modules)
        changes = provenance.differences(before.experiment, provenance.public(self._experiment))
        if now["data"] != before.identity["data"]:
            changes.append(f"the data: digest {before.identity['data'][:12]} -> {now['data'][:12]}")
        if now["code"] != before.identity["code"]:
            changes.append(f"the code of the search space, in {', '.join(before.modules)}")
        if now != before.identity:
            message = f"the study {study.experiment.name!r} changed since its last run:\n  " + "\n  ".join(changes)
            message += "\nto keep both: --name ANOTHER; to begin anew and set the old study aside: --fresh"
            raise StudyChanged(message)

    def _identity(self, data: Prepared, modules: Iterable[str]) -> dict[str, str]:
        root = self._around.project.root
        code = provenance.code_digest([root / module for module in modules if (root / module).exists()], root)
        return {**provenance.experiment_digest(self._experiment), "data": data.digest, "code": code}

    def _complete(self, study: Study) -> bool:
        state, wanted = study.state, self._experiment
        if state.opened is None or self._reopen:
            return False
        more = wanted.search.trials is not None and wanted.search.trials > len(state.courses)
        longer = wanted.seconds is not None and wanted.seconds > state.searched and wanted.search.trials is None
        if state.verdict and (more or longer):
            message = (
                f"the test split of {wanted.name!r} has been opened; more trials now would be chosen in its light\n"
                "  go on all the same with --reopen (the report will say so), or use another --name"
            )
            raise StudyChanged(message)
        return state.verdict is not None

    def _already(self, study: Study) -> Verdict:
        verdict = study.state.verdict
        if verdict is None:
            message = "the study has no verdict"
            raise HpsearchError(message)
        self._around.say(f"{study.experiment.name} is already complete: {len(study.state.courses)} trials")
        return verdict

    def _preflight(self, executor: Executor, data: Prepared) -> Preflight:
        wanted = self._experiment
        share = 1 - (wanted.data.holdout or 1 / (wanted.data.folds or 1))
        batch = wanted.train.batch_sizes[0]
        rows = round(data.train_rows * share)
        task = Task(data.shape, len(data.class_names), data.class_names, rows, wanted.train.epochs, batch)
        root = self._around.project.root
        self._around.say("getting ready: TensorFlow is imported, and a few models are built to find the space")
        preflight: Preflight = executor.call(
            fly, root, wanted.model.build, task, derive(wanted.seed, "preflight"), dict(wanted.space)
        )
        for mistake in narrowing.never_asked(wanted.space, preflight.parameters):
            self._around.say(f"warning: {mistake}")
        return preflight

    def _begin(self, study: Study, data: Prepared, executor: Executor) -> None:
        before, space = study.state.session, study.state.space
        if before is None or not space:
            preflight = self._preflight(executor, data)
            modules, space = preflight.modules, preflight.parameters
        else:
            modules = before.modules
        for attempt in list(study.state.running.values()):
            study.record(AttemptEnd(attempt, How.LOST, 0.0, reason="its session ended without a word"))
        facts = {**provenance.versions(), **provenance.machine()}
        facts |= {"git_commit": provenance.git_commit(self._around.project.root)}
        facts |= {"data_digest": data.digest, "data_name": data.name, "test_from": data.test_from}
        public = provenance.public(self._experiment)
        study.record(SessionBegan(study.experiment.name, public, self._identity(data, modules), modules, facts))
        study.record(SpaceFound(space), durable=True)
        paths.write_text(self._folder.experiment, json.dumps(public, indent=2) + "\n")

    def _search(self, stack: ExitStack, study: Study, crew: Crew, executor: Executor, data: Prepared) -> Verdict:
        leave = stack.enter_context(told_to_leave())
        if done := len(study.state.results):
            self._around.say(f"going on with {self._experiment.name}: {done} trials are done")
        watcher = self._around.watch(self._experiment, executor.free())
        for news in study.ledger.read():
            watcher.hear(news)
        study.listen(watcher.hear)
        outbox = self._outbox(study, executor)
        try:
            executor.open(self._recipe(data))
            verdict = self._work(Finale(study, crew, executor, data, leave), leave)
            lay_out(study, verdict, data)
            study.record(SessionEnded(finished=True, reason="the budget is spent"), durable=True)
        except BaseException as error:
            study.record(SessionEnded(finished=False, reason=_in_words(error)), durable=True)
            raise
        finally:
            watcher.close()
            self._drain(outbox)
        return verdict

    def _work(self, finale: Finale, leave: Leave) -> Verdict:
        tuner, pruner = self._minds(finale.study)
        try:
            search(finale.study, tuner, pruner, finale.crew, leave)
            return finale.hold()
        except Interrupted:
            message = f"interrupted; the same command goes on with the study {self._experiment.name!r}"
            raise Interrupted(message, leave.exit_code) from None
        finally:
            tuner.close()

    def _minds(self, study: Study) -> tuple[Any, Any]:
        wanted = self._experiment.search
        tuner = plugins.make("tuners", wanted.tuner, wanted.tuner_options, "search.tuner_options")
        pruner = plugins.make("pruners", wanted.pruner, wanted.pruner_options, "search.pruner_options")
        brief = Brief(
            self._experiment.objective, self._experiment.seed, wanted.trials, self._experiment.train.epochs,
            study.state.space, tuple(study.state.story),
        )  # fmt: skip
        tuner.begin(brief)
        pruner.begin(brief)
        return tuner, pruner

    def _recipe(self, data: Prepared) -> Recipe:
        train = self._experiment.train
        return Recipe(
            self._around.project.root, self._experiment.model.build, data.folder, self._folder.fits.resolve(),
            data.class_names, self._experiment.objective, train.epochs, train.batch_sizes,
            train.early_stopping, train.loop,
        )  # fmt: skip

    def _outbox(self, study: Study, executor: Executor) -> Outbox | None:
        made = self._around.mlflow(self._experiment, executor)
        if made is None:
            return None
        outbox = Outbox(study.paths.ledger, study.paths.cursor, made)
        outbox.start()
        return outbox

    def _drain(self, outbox: Outbox | None) -> None:
        if outbox and (waiting := outbox.close(DRAIN_SECONDS)):
            self._around.say(
                f"warning: MLflow has not heard the last {waiting} records ({outbox.trouble or 'it was too slow'}); "
                "they are kept, and sent when this study is run again"
            )


def make_executor(experiment: Experiment) -> Executor:
    """The executor that [workers] names."""
    takes = plugins.options(plugins.part("executors", experiment.workers.kind))
    given = {"count": experiment.workers.count} if "count" in takes else {}
    executor: Executor = plugins.make("executors", experiment.workers.kind, given, "workers")
    return executor


def make_dataset(experiment: Experiment) -> Any:
    """The data set that [data] names, with those of [data]'s keys that it takes and that were given."""
    takes = plugins.options(plugins.part("datasets", experiment.data.source))
    given: Mapping[str, Any] = experiment.data.model_dump(exclude_unset=True)
    return plugins.make(
        "datasets", experiment.data.source, {key: value for key, value in given.items() if key in takes}, "data"
    )


def _in_words(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
