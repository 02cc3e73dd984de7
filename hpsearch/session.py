"""One session of a study, from the experiment to the report: who is made when, and who is told what."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial

from hpsearch import cards, disk, files, paths, plugins, schema
from hpsearch.backup import Backup
from hpsearch.beginning import Beginning
from hpsearch.crew import Crew
from hpsearch.datasets import appearance, memory, prepared
from hpsearch.errors import FolderUnusable, Interrupted, RunningElsewhere, StateDamaged, first_line
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.identity import Identity, refuse_if_opened
from hpsearch.keeping import let_go_of_finals
from hpsearch.leaving import AtOnce, Leave, told_to_leave
from hpsearch.listening import DRAIN_SECONDS, drain, follow, foresee, told_again
from hpsearch.loading.part_checks import idle_parts
from hpsearch.parts import make_dataset, make_executor, make_minds
from hpsearch.protocols import Executor, Made, Prepared, Progress, Selective, Tracker
from hpsearch.records import SessionEnded, Verdict
from hpsearch.search import search
from hpsearch.study import OTHER_NAME, Study, held, is_bare
from hpsearch.winner import lay_out
from hpsearch.worker import ending

LEAVING_SECONDS = 7.0  # how long MLflow may take to catch up where the session ends before its time
OUT_OF_REACH = (FolderUnusable, StateDamaged, RunningElsewhere)  # is the study, and its session may end for that
INTERRUPTED = "interrupted; what was done is kept, and the same command goes on"


@dataclass
class Surroundings:
    """What a session needs of the place it runs in."""

    project: paths.Project
    progress: Progress
    say: Callable[[str], None]
    watch: Callable[[Experiment, int, int], Tracker]  # how many workers; the last record of earlier sessions
    mlflow: Callable[[Experiment], Made | None]
    report: Callable[[Experiment], None]  # writes what MLflow keeps of a study that has come to its end


class Session:
    """Runs one experiment once: to its end, or to where it is interrupted."""

    def __init__(self, experiment: Experiment, around: Surroundings, *, reopen: bool = False) -> None:
        """Prepare nothing yet; `reopen` allows more trials, or other finals, after the test split was opened."""
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
        schema.refuse_old_sqlite()
        executor = make_executor(self._experiment)
        self._say_where(executor)
        with ExitStack() as stack:
            stack.callback(ending.end_started)  # whatever is still being measured is of no use any more
            hands = stack.enter_context(ExitStack())
            hands.callback(executor.close)
            executor.start()
            if scarce := disk.scarcity(files.make(self._around.project.runs)):
                self._around.say(scarce)
            stack.enter_context(held(self._folder, OTHER_NAME))
            study = Study(self._experiment, self._folder, self._around.say)
            stack.callback(study.close)
            stack.callback(self._forget_if_empty, study)
            source = make_dataset(self._experiment)
            data = prepared.prepare(self._experiment.data.source, source, self._around.progress)
            study.ledger.refuse_if_gone()
            for warning in (memory.heed(data), source.left_out() if isinstance(source, Selective) else ""):
                if warning:
                    self._around.say(warning)
            for idle in idle_parts(self._experiment):
                self._around.say(f"warning: {idle}")
            self._say_how_they_look(study, data)
            backup = Backup(self._folder)
            stack.callback(_copy_last, backup, leave)
            study.listen(backup.hear)
            stack.callback(hands.close)  # whoever may hold the study next must find nobody at work on it
            identity = Identity(self._experiment, data, self._around.project.root)
            identity.refuse_if_changed(study.state)
            if not self._reopen:
                refuse_if_opened(study.state, self._experiment)
            made = self._around.mlflow(self._experiment)
            if not self._reopen and (verdict := study.state.verdict):
                self._make_whole(study, verdict, data)
                self._around.report(study.experiment)
                drain(follow(study, executor, made), study.experiment.name, self._around.say)
                return verdict
            splits, code = Beginning(study, identity, executor, self._around.say).open()
            crew, ready = Crew(study, executor, splits), partial(foresee, executor, made)
            return self._search(Finale(study, crew, executor, data, code, leave, ready), made)

    def _say_where(self, executor: Executor) -> None:
        if executor.where:
            self._around.say(f"training on {executor.where}")
        elif self._experiment.workers.gpus == "auto":
            self._around.say(f"training on the processor: {cards.usable().why}")

    def _say_how_they_look(self, study: Study, data: Prepared) -> None:
        """While another look costs nothing: what would change the images makes another study."""
        if study.state.session:
            return
        wanted = self._experiment.data
        takes = plugins.options(plugins.part("datasets", wanted.source))
        for warning in appearance.heed(data, invert=bool(wanted.invert) if "invert" in takes else None):
            self._around.say(warning)

    def _make_whole(self, study: Study, verdict: Verdict, data: Prepared) -> None:
        """Finish what a kill after the verdict may have left undone: best/, and the farewell."""
        done = len(study.state.courses)
        self._around.say(f"{study.experiment.name} is already complete: {done} trials")
        lay_out(study, verdict, data)
        let_go_of_finals(study)
        if study.state.ended is None or not study.state.ended.finished:
            study.record(SessionEnded(finished=True, reason="the verdict was given"), durable=True)

    def _forget_if_empty(self, study: Study) -> None:
        """What was refused before its first record leaves nothing behind."""
        if study.state.last == 0 and not study.ledger.gone and is_bare(self._folder):
            shutil.rmtree(self._folder.folder, ignore_errors=True)  # NFS keeps the name of a lock that is held

    def _search(self, finale: Finale, made: Made | None) -> Verdict:
        study = finale.study
        if done := len(study.state.results):
            self._around.say(f"going on with {self._experiment.name}: {done} trials are done")
        before = study.past[-1].number if study.past else 0
        watcher = self._around.watch(self._experiment, finale.executor.free(), before)
        outbox, patience = None, DRAIN_SECONDS
        try:
            for news in told_again(study):
                watcher.hear(news)
            study.listen(watcher.hear)
            outbox = follow(study, finale.executor, made)  # now: MLflow's import would take time from TensorFlow's
            reason, verdict = self._work(finale)
            study.record(SessionEnded(finished=True, reason=reason), durable=True)
            self._around.report(study.experiment)
        except BaseException as error:
            patience = LEAVING_SECONDS
            with suppress(*OUT_OF_REACH):
                study.ledger.recover()
                left = isinstance(error, KeyboardInterrupt)
                why = INTERRUPTED if left else first_line(str(error)) or type(error).__name__
                study.record(SessionEnded(finished=False, reason=why), durable=True)
            raise
        finally:
            watcher.close()
            if not finale.leave.twice:
                with suppress(*OUT_OF_REACH):
                    drain(outbox, study.experiment.name, self._around.say, patience)
        return verdict

    def _work(self, finale: Finale) -> tuple[str, Verdict]:
        tuner, pruner = make_minds(finale.study)
        finale.leave.politely = True
        try:
            reason = search(finale.study, tuner, pruner, finale.crew, finale.leave, finale.fits)
            self._around.say(f"the search is over: {reason}")
            verdict = finale.hold()
        except Interrupted:
            raise Interrupted(INTERRUPTED, finale.leave.exit_code) from None
        finally:
            finale.leave.politely = False
            tuner.close()
        lay_out(finale.study, verdict, finale.data)
        let_go_of_finals(finale.study)
        return reason, verdict


def _copy_last(backup: Backup, leave: Leave) -> None:
    """Copy what came since the last time; who leaves at once does not wait for that."""
    if not leave.twice:
        backup.close()
