"""Keeps the study's story in MLflow: a run for the study, a child run for each trial and each final fit."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch import files, paths, words
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.protocols import Call
from hpsearch.provenance import FREE, redacted
from hpsearch.records import (
    Answered,
    Asked,
    AttemptBegan,
    News,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    TestOpened,
    Verdict,
)
from hpsearch.trackers import mlflow_model, mlflow_moved
from hpsearch.trackers.mlflow_finals import Finals
from hpsearch.trackers.mlflow_runs import STUDY, Runs
from hpsearch.trackers.mlflow_store import (
    Place,
    client,
    database,
    prepare_store,
    project_name,
    refuse_unnameable,
    resolve,
)
from hpsearch.trackers.mlflow_trials import Trials
from hpsearch.trackers.mlflow_trouble import safe, told_apart
from hpsearch.trial import AttemptEnd, Built, Measure, TrialResult


@dataclass(frozen=True)
class Made:
    """Makes the tracker of a study, slowly, in whatever process it is sent to.

    The study's folder may have another name than its experiment: one that was set aside has.
    """

    project: paths.Project
    experiment: Experiment
    folder: paths.Study

    @property
    def place(self) -> str:
        """MLflow's address and experiment, and the registered model that the winner becomes a version of."""
        wanted = self.experiment.tracking.register_as
        return f"{self.shown} {self._name}" + (f" {wanted}" if wanted else "")

    @property
    def shown(self) -> str:
        """MLflow's address without what is secret in it."""
        return redacted(self._address)

    @property
    def calls(self) -> tuple[Callable[..., Any], Callable[[], object]]:
        """What logs the winner's model, and what it imports."""
        return mlflow_model.log_model, mlflow_model.import_all

    @property
    def _address(self) -> str:
        return resolve(self.project, self.experiment.tracking.mlflow or None)

    @property
    def _name(self) -> str:
        return self.experiment.tracking.experiment or project_name(self.project)

    def heed(self) -> str:
        """A warning where MLflow would keep the study's files where the project was before; "" elsewhere."""
        return mlflow_moved.heed(self.project, self._address, self._name)

    def __call__(self, call: Call) -> "ViaMLflow":
        """Find MLflow's store, or make it; raise NotHeard when it cannot be reached."""
        with told_apart():
            uri = prepare_store(self.project, self._address, self._name)
            known, own = study_id(self.experiment, self.folder), self.folder
            place = Place(uri, self._name, known, own.fits, own.ledger, own.report, self.project.root)
            return ViaMLflow(self.experiment, place, call)


def for_study(project: paths.Project, experiment: Experiment, folder: paths.Study) -> Made | None:
    """What makes the tracker of a study; None when [tracking] turns MLflow off.

    Raises ExperimentRefused where its database would have a name that MLflow cannot take.
    """
    if experiment.tracking.mlflow is False:
        return None
    if file := database(resolve(project, experiment.tracking.mlflow or None)):
        refuse_unnameable(project, file)
        files.make(file.parent)  # refuses now what could only fail later
    return Made(project, experiment, folder)


def study_id(experiment: Experiment, folder: paths.Study) -> str:
    """The study's name and the time of its first record, so that --fresh begins new runs, and the old keep theirs."""
    ledger = Ledger(folder.ledger, writer=False)
    try:
        first = next(iter(ledger.read()), None)
    finally:
        ledger.close()
    return f"{experiment.name}-{first.time_ms if first else 0}"


class ViaMLflow:
    """A tracker that may be made anew at any record: what it must remember is in MLflow itself.

    `call(function, *arguments)` runs a module-level function in a fresh process; the winner's model is logged there.
    """

    def __init__(self, experiment: Experiment, place: Place, call: Call) -> None:
        """Find the study's runs; raise what MLflow raises when it is away."""
        self._runs = Runs(client(place.uri), place.experiment, place.study_id)
        self._report, self._trials = place.report, Trials(experiment, self._runs, place.ledger)
        self._finals = Finals(experiment, place, self._runs, self._trials, call)

    def remembers(self, *, wholly: bool) -> bool:
        """Whether MLflow has a run of the study, be it one that a person deleted; its database may be a new one.

        With `wholly` it must have taken every file and model as well.
        """
        return self._runs.find(STUDY) is not None and not (wholly and self._runs.try_again())

    def lacks(self) -> str:
        """The winner's model and files that MLflow, or the store behind it, did not take, and why."""
        return self._runs.lacks()

    def hear(self, news: News) -> None:
        """Take the record in; raise NotHeard, without passwords in its text, when MLflow cannot take it now.

        What can wait is written by `flush`, one request a run for many records.
        """
        with told_apart():
            self._hear(news)

    def flush(self) -> None:
        """Write what was held back; raise NotHeard if MLflow cannot take it: all since the last time is to be told."""
        with told_apart():
            self._runs.flush()

    def close(self) -> None:
        """Write what is held back, and keep the report of a study that does not run in place of an earlier one."""
        study, report = self._runs.find(STUDY), self._report
        if study and report and report.exists() and study.tags.get("hpsearch.state") != "running":
            with told_apart():
                self._runs.keep(study, "log_artifact", str(report))
        self.flush()

    def _hear(self, news: News) -> None:
        match news.body:
            case SessionBegan() as session:
                self._session_began(session, news.time_ms)
            case SpaceFound(parameters):
                self._trials.fix(parameters, news.time_ms)
            case Answered(_, parameter) if parameter.kind != "fixed":
                self._trials.vary(parameter.name, news.time_ms)
            case Asked(trial):
                self._trials.asked(trial.number, news.time_ms)
            case AttemptBegan() | Built() | Measure() | AttemptEnd() as body:
                self._trials.hear(body, news.time_ms)
            case TrialResult() as result:
                self._trials.ended(result, news.number, news.time_ms)
            case TestOpened():
                self._trials.close_finals(news.time_ms)
            case Verdict() as verdict:
                self._finals.hear(verdict, news.number, news.time_ms)
            case SessionEnded() as ended:
                self._session_ended(ended, news.time_ms)

    def _session_began(self, session: SessionBegan, time_ms: int) -> None:
        study = self._trials.study(time_ms)
        self._runs.mark(study, "RUNNING")
        self._trials.interrupt(time_ms)
        flat = dict(_flat(session.experiment))
        fixed = {name: value for name, value in flat.items() if not name.startswith(FREE)}
        known = {} if study.gone else self._runs.found(study).params
        self._runs.write(study, time_ms, params={name: value for name, value in fixed.items() if name not in known})
        tags = {f"hpsearch.{name}": value for name, value in flat.items() if name not in fixed}
        tags |= {f"hpsearch.{name}": value for name, value in session.provenance.items()}
        if commit := session.provenance.get("git_commit"):
            tags["mlflow.source.git.commit"] = commit.removesuffix("+dirty")
        self._runs.write(study, time_ms, tags=tags | {"hpsearch.state": "running", "hpsearch.reason": ""})

    def _session_ended(self, ended: SessionEnded, time_ms: int) -> None:
        self._runs.sort_out()
        self._trials.interrupt(time_ms)
        self._trials.close(self._trials.study(time_ms), ended.state, time_ms, safe(words.clean(ended.reason, 1000)))


def _flat(said: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    """The experiment's keys and values, keys as "search.tuner"; addresses lose their passwords."""
    for key, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value is not None:
            yield f"{above}{key}", redacted(value) if isinstance(value, str) else json.dumps(value)
