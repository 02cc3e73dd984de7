"""One session of a study, from the experiment to the report: who is made when, and who is told what."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from threading import Thread
from typing import Any

from hpsearch import cards, narrowing, pace, paths, plugins, provenance
from hpsearch.backup import Backup
from hpsearch.crew import Crew
from hpsearch.errors import ExperimentRefused, FolderUnusable, Interrupted, Mistake, StateDamaged
from hpsearch.executors.limits import Limits
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.follower import Made
from hpsearch.identity import Identity, refuse_if_opened
from hpsearch.leaving import AtOnce, Leave, told_to_leave
from hpsearch.orders import Recipe, Slot, Steps
from hpsearch.outbox import Outbox
from hpsearch.protocols import Brief, Executor, Prepared, Progress, Tracker
from hpsearch.records import Answered, Asked, AttemptBegan, News, SessionBegan, SessionEnded, SpaceFound, Verdict
from hpsearch.search import search
from hpsearch.seeds import derive
from hpsearch.splits import Splits
from hpsearch.study import Study, held
from hpsearch.trial import AttemptEnd, How
from hpsearch.weighing import class_weights
from hpsearch.winner import lay_out
from hpsearch.worker import process
from hpsearch.worker.preflight import Preflight, Sample, fly
from hpsearch.worker.task import Task

QUIET_SECONDS, DRAIN_SECONDS, TROUBLED_SECONDS = 3.0, 60.0, 5.0  # how long MLflow may take to catch up at the end
LEAVING_SECONDS = 7.0  # the same, after the first three, where the session ends before its time
SAMPLE_SECONDS = 600.0  # how long all sample builds may take
LONGEST_LINE = 300
INTERRUPTED = "interrupted; what was done is kept, and the same command goes on"


@dataclass
class Surroundings:
    """What a session needs of the place it runs in."""

    project: paths.Project
    progress: Progress
    say: Callable[[str], None]
    watch: Callable[[Experiment, int, int], Tracker]  # how many workers; the last record of earlier sessions
    mlflow: Callable[[Experiment], Made | None]


class Session:
    """Runs one experiment once: to its end, or to where it is interrupted."""

    def __init__(self, experiment: Experiment, around: Surroundings, *, reopen: bool = False) -> None:
        """Prepare nothing yet; `reopen` allows more trials after the test split was opened."""
        self._experiment, self._around, self._reopen = experiment, around, reopen
        self._folder = around.project.study(experiment.name)

    def run(self) -> Verdict:
        """Search, hold the finals and give the verdict; raise an HpsearchError when it comes to none."""
        with told_to_leave() as leave:
            try:
                return self._run(leave)
            except AtOnce:
                raise Interrupted(INTERRUPTED, leave.exit_code) from None

    def _run(self, leave: Leave) -> Verdict:
        executor = make_executor(self._experiment)
        self._say_where(executor)
        with ExitStack() as stack:
            stack.callback(process.end_all)  # whatever is still being measured is of no use any more
            stack.callback(executor.close)
            executor.start()
            if scarce := paths.scarcity(paths.make(self._around.project.runs)):
                self._around.say(scarce)
            data = make_dataset(self._experiment).prepare(self._around.progress)
            stack.enter_context(held(self._folder))
            study = Study(self._experiment, self._folder, self._around.say)
            stack.callback(study.close)
            stack.callback(self._forget_if_empty, study)
            study.listen(stack.enter_context(closing(Backup(self._folder))).hear)
            identity = Identity(self._experiment, data, self._around.project.root)
            identity.refuse_if_changed(study.state)
            if not self._reopen:
                refuse_if_opened(study.state, self._experiment)
            made = self._around.mlflow(self._experiment)
            if not self._reopen and (verdict := study.state.verdict):
                self._make_whole(study, verdict, data)
                self._drain(_follow(study, executor, made))
                return verdict
            crew = Crew(study, executor, self._splits(data))
            weights = self._class_weights(data)
            steps = self._begin(study, identity, executor)
            executor.open(self._recipe(data, weights, steps))
            return self._search(Finale(study, crew, executor, data, identity.root, leave), made)

    def _say_where(self, executor: Executor) -> None:
        if executor.where:
            self._around.say(f"training on {executor.where}")
        elif self._experiment.workers.gpus == "auto":
            self._around.say(f"training on the processor: {cards.usable().why}")

    def _make_whole(self, study: Study, verdict: Verdict, data: Prepared) -> None:
        """Finish what a kill after the verdict may have left undone: best/, and the farewell."""
        done = len(study.state.courses)
        self._around.say(f"{study.experiment.name} is already complete: {done} trials")
        lay_out(study, verdict, data)
        if study.state.ended is None:
            study.record(SessionEnded(finished=True, reason="the verdict was given"), durable=True)

    def _forget_if_empty(self, study: Study) -> None:
        """What was refused before its first record leaves nothing behind."""
        if study.state.last == 0:
            shutil.rmtree(self._folder.folder)

    def _splits(self, data: Prepared) -> Splits:
        splits = Splits(self._experiment, data.folder / "train" / "labels.npy", self._folder.splits)
        splits.prepare()  # now, while TensorFlow is still being imported elsewhere
        return splits

    def _begin(self, study: Study, identity: Identity, executor: Executor) -> Steps:
        before = study.state.session
        facts = before.provenance if before else {}
        # What is measured once a machine costs its first study no time of its own.
        settling = aside(pace.settle, self._experiment.train, facts, _placed(executor), executor.where)
        known = Preflight(study.state.space, before.modules) if before else self._preflight(executor, identity.data)
        steps: Steps = settling.result()
        for attempt in list(study.state.running.values()):
            study.record(AttemptEnd(attempt, How.LOST, 0.0, reason="its session ended without a word"))
        public, digests = provenance.public(self._experiment), identity.digests(known.modules)
        facts = {**_facts(identity, executor), "steps": json.dumps(asdict(steps))}
        study.record(SessionBegan(study.experiment.name, public, digests, known.modules, facts))
        study.record(SpaceFound(known.parameters), durable=True)
        paths.write_text(self._folder.experiment, json.dumps(public, indent=2) + "\n")
        return steps

    def _preflight(self, executor: Executor, data: Prepared) -> Preflight:
        wanted = self._experiment
        share = 1 - (wanted.data.holdout or 1 / (wanted.data.folds or 1))
        rows, batch = round(data.train_rows * share), wanted.train.batch_sizes[0]
        task = Task(data.shape, len(data.class_names), data.class_names, rows, wanted.train.epochs, batch)
        self._around.say("getting ready: TensorFlow is imported, and a few models are built to find the space")
        sample = Sample(
            self._around.project.root, wanted.model.build, task, derive(wanted.seed, "preflight"),
            dict(wanted.space), wanted.objective.metric,
        )  # fmt: skip
        try:
            preflight: Preflight = executor.call(fly, sample, patience=SAMPLE_SECONDS)
        except process.ChildDied as died:
            what, mend = f"the process of the sample builds {died.how}", "see what build_model does beside building"
            raise ExperimentRefused([Mistake("model.build", what, mend)]) from died
        for mistake in narrowing.never_asked(wanted.space, preflight.parameters):
            self._around.say(f"warning: {mistake}")
        return preflight

    def _search(self, finale: Finale, made: Made | None) -> Verdict:
        study = finale.study
        if done := len(study.state.results):
            self._around.say(f"going on with {self._experiment.name}: {done} trials are done")
        before = study.past[-1].number if study.past else 0
        watcher = self._around.watch(self._experiment, finale.executor.free(), before)
        for news in told_again(study):
            watcher.hear(news)
        study.listen(watcher.hear)
        outbox = _follow(study, finale.executor, made)
        patience = DRAIN_SECONDS
        try:
            reason, verdict = self._work(finale)
            study.record(SessionEnded(finished=True, reason=reason), durable=True)
        except BaseException as error:
            patience = 0.0 if isinstance(error, AtOnce) else LEAVING_SECONDS
            with suppress(FolderUnusable, StateDamaged):  # for which the session may end just now
                study.ledger.recover()
                study.record(SessionEnded(finished=False, reason=_in_words(error)), durable=True)
            raise
        finally:
            watcher.close()
            if patience:
                with suppress(FolderUnusable):  # the same
                    self._drain(outbox, patience)
        return verdict

    def _work(self, finale: Finale) -> tuple[str, Verdict]:
        tuner, pruner = self._minds(finale.study)
        finale.leave.politely = True
        try:
            reason = search(finale.study, tuner, pruner, finale.crew, finale.leave)
            verdict = finale.hold()
        except Interrupted:
            raise Interrupted(INTERRUPTED, finale.leave.exit_code) from None
        finally:
            finale.leave.politely = False
            tuner.close()
        lay_out(finale.study, verdict, finale.data)
        return reason, verdict

    def _minds(self, study: Study) -> tuple[Any, Any]:
        wanted = self._experiment.search
        tuner = plugins.make("tuners", wanted.tuner, wanted.tuner_options, "search.tuner_options")
        pruner = plugins.make("pruners", wanted.pruner, wanted.pruner_options, "search.pruner_options")
        brief = Brief(
            self._experiment.objective, self._experiment.seed, wanted.trials, self._experiment.train.epochs,
            study.state.space, study.hand_over(),
        )  # fmt: skip
        tuner.begin(brief)
        pruner.begin(brief)
        return tuner, pruner

    def _class_weights(self, data: Prepared) -> tuple[float, ...]:
        labels = data.folder / "train" / "labels.npy"
        return class_weights(self._experiment.train.class_weight, data.class_names, labels)

    def _recipe(self, data: Prepared, weights: tuple[float, ...], steps: Steps) -> Recipe:
        train, fits = self._experiment.train, paths.make(self._folder.fits).resolve()
        return Recipe(
            self._around.project.root, self._experiment.model.build, data.folder, fits,
            data.class_names, self._experiment.objective, train.epochs, train.batch_sizes,
            train.early_stopping, train.loop, weights, steps,
        )  # fmt: skip

    def _drain(self, outbox: Outbox | None, patience: float = DRAIN_SECONDS) -> None:
        if outbox is None:
            return
        if outbox.drain(QUIET_SECONDS):
            self._around.say("waiting for MLflow to take in the last records")
        if waiting := outbox.close(min(patience, TROUBLED_SECONDS) if outbox.trouble else patience):
            why = _first_line(outbox.trouble) or "it was too slow"
            self._around.say(
                f"warning: MLflow has not heard the last {waiting} records: {why}\n"
                f"  they are pending in the ledger; send them with: hpsearch sync {self._experiment.name}"
            )


def told_again(study: Study) -> Iterator[News]:
    """What a watcher hears of earlier sessions, and what this one has written: not what was asked inside trials."""
    last = study.past[-1].number if study.past else 0
    for news in study.past:
        match news.body:
            case Asked() | AttemptBegan():
                continue
            case Answered(_, parameter) if parameter.kind != "fixed":
                continue
        yield news
    yield from study.ledger.read(last)


def _follow(study: Study, executor: Executor, made: Made | None) -> Outbox | None:
    if made is None:
        return None
    outbox = Outbox(study.paths.ledger, study.paths.cursor, made, executor.call)
    if study.state.ended and not outbox.waiting():
        return None
    outbox.start()
    return outbox


def _facts(identity: Identity, executor: Executor) -> dict[str, str]:
    """What is good to know of a session's surroundings."""
    data = identity.data
    about = {"data_digest": data.digest, "data_name": data.name, "test_from": data.test_from}
    commit = {"git_commit": provenance.git_commit(identity.root)}
    where = {"cards": executor.where} if executor.where else {}
    return {**provenance.versions(), **provenance.machine(), **where, **commit, **about}


def aside(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """Call a function in a thread of its own, which nobody waits for when the program ends sooner."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, name=function.__name__, daemon=True).start()
    return future


def _placed(executor: Executor) -> Callable[..., Any]:
    """Calls a function in a fresh process that has what a worker has."""
    return executor.call if executor.where else partial(process.call, slot=Slot())


def make_executor(experiment: Experiment) -> Executor:
    """The executor that [workers] names, with those of its options that it takes, and the limits of [train]."""
    takes = plugins.options(plugins.part("executors", experiment.workers.kind))
    known = {**experiment.workers.model_dump(exclude={"kind"}), "limits": Limits.of(experiment.train)}
    given = {key: value for key, value in known.items() if key in takes}
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
    return _first_line(str(error)) or type(error).__name__


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"
