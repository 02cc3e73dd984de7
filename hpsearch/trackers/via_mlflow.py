"""Keeps the study's story in MLflow: a run for the study, a child run for each trial and each final fit."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch import paths
from hpsearch.errors import HpsearchError
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.protocols import Tracker
from hpsearch.provenance import FREE, redacted
from hpsearch.records import AttemptBegan, News, SessionBegan, SessionEnded, SpaceFound, TestOpened, Verdict
from hpsearch.sparing import Spared, count
from hpsearch.trackers import mlflow_verdict, words
from hpsearch.trackers.mlflow_model import log_model
from hpsearch.trackers.mlflow_runs import Run, Runs
from hpsearch.trackers.mlflow_store import client, database, prepare_store, project_name, resolve
from hpsearch.trial import AttemptEnd, Built, Fit, How, Measure, Status, TrialResult

Call = Callable[..., Any]
STUDY = "study"
ENDS = {Status.COMPLETED: "FINISHED", Status.PRUNED: "FINISHED", Status.FAILED: "FAILED"}
OWN = ("best_", "seconds", "score", "n_parameters", "epoch_seconds", "test_")  # metrics that are no learning curves


class NotHeard(HpsearchError):
    """MLflow could not be told; the same record will be tried again."""


@dataclass(frozen=True)
class Place:
    """Where the study's runs are: MLflow's address and experiment, the study's own id and its folder of fits.

    From the `ledger`, where there is one, the study's run is told in the end what pruning spared.
    """

    uri: str
    experiment: str
    study_id: str
    fits: Path
    artifacts: str | None = None
    ledger: Path | None = None


def for_study(project: paths.Project, experiment: Experiment, call: Call) -> Callable[[], Tracker] | None:
    """What makes the tracker of a study, slowly, in a thread of its own; None when [tracking] turns MLflow off."""
    wanted = experiment.tracking
    if wanted.mlflow is False:
        return None
    folder, name = project.study(experiment.name), wanted.experiment or project_name(project)
    if file := database(resolve(project, wanted.mlflow or None)):
        paths.make(file.parent)  # refuses now what could only fail later

    def made() -> Tracker:
        with _told_apart():
            uri = prepare_store(project, wanted.mlflow or None, name)
            return ViaMLflow(experiment, Place(uri, name, study_id(folder), folder.fits, ledger=folder.ledger), call)

    return made


def study_id(folder: paths.Study) -> str:
    """The study's name and the time of its first record, so that --fresh begins new runs."""
    ledger = Ledger(folder.ledger, writer=False)
    try:
        first = next(iter(ledger.read()), None)
    finally:
        ledger.close()
    return f"{folder.folder.name}-{first.time_ms if first else 0}"


class ViaMLflow:
    """A tracker that may be made anew at any record: what it must remember is in MLflow itself.

    `call(function, *arguments)` runs a module-level function in a fresh process; the winner's model is logged there.
    """

    def __init__(self, experiment: Experiment, place: Place, call: Call) -> None:
        self._experiment, self._place, self._call = experiment, place, call
        self._client = client(place.uri)
        self._runs = Runs(self._client, place.experiment, place.study_id, place.artifacts)
        study = self._runs.find(STUDY)
        self._fixed = set(json.loads(study.tags.get("hpsearch.fixed", "[]"))) if study else set()
        self._best = min(self._scores(), key=experiment.objective.key, default=None)

    def hear(self, news: News) -> None:
        """Take the record in; raise NotHeard, without passwords in its text, when MLflow cannot take it now.

        What can wait is written by `flush`, one request a run for many records.
        """
        with _told_apart():
            self._hear(news)

    def flush(self) -> None:
        """Write what was held back; raise NotHeard if MLflow cannot take it: all since the last time is to be told."""
        with _told_apart():
            self._runs.flush()

    def _hear(self, news: News) -> None:
        match news.body:
            case SessionBegan() as session:
                self._session_began(session, news.time_ms)
            case SpaceFound(parameters):
                self._fixed = {parameter.name for parameter in parameters if parameter.kind == "fixed"}
                self._runs.write(
                    self._study(news), news.time_ms, tags={"hpsearch.fixed": json.dumps(sorted(self._fixed))}
                )
            case AttemptBegan() | Built() | Measure() | AttemptEnd() as body:
                self._hear_attempt(body, news.time_ms)
            case TrialResult() as result:
                self._trial_ended(result, news)
            case TestOpened():
                self._close_finals(news.time_ms)
            case Verdict() as verdict:
                self._verdict(verdict, news)
            case SessionEnded() as ended:
                self._session_ended(ended, news)

    def _hear_attempt(self, body: AttemptBegan | Built | Measure | AttemptEnd, time_ms: int) -> None:
        fit = body.attempt.fit
        run, prefix = self._run(fit, time_ms), self._prefix(fit)
        match body:
            case AttemptBegan(attempt):
                self._runs.mark(run, "RUNNING")
                self._runs.write(run, time_ms, tags=_state("running") | {"hpsearch.attempt": attempt.number})
            case Built(_, parameters, summary):
                self._runs.write(run, time_ms, {f"{prefix}n_parameters": parameters})
                self._runs.keep(run, "log_text", summary, "model_summary.txt")
            case Measure(_, epoch, metrics, seconds):
                named = {prefix + name: value for name, value in metrics.items()} | {f"{prefix}epoch_seconds": seconds}
                self._runs.write(run, time_ms, named, step=epoch)
            case AttemptEnd():
                self._attempt_ended(body, time_ms)

    def close(self) -> None:
        """Write what is still held back."""
        self.flush()

    def _study(self, news: News) -> Run:
        tags = {"hpsearch.study": self._experiment.name, "hpsearch.kind": STUDY}
        return self._runs.begin(STUDY, self._experiment.name, news.time_ms, tags)

    def _session_began(self, session: SessionBegan, time_ms: int) -> None:
        study = self._study(News(0, time_ms, 0.0, session))
        self._runs.mark(study, "RUNNING")
        self._interrupt(time_ms)
        flat = dict(_flat(session.experiment))
        fixed = {name: value for name, value in flat.items() if not name.startswith(FREE)}
        known = {} if study.gone else self._runs.found(study).params
        self._runs.write(study, time_ms, params={name: value for name, value in fixed.items() if name not in known})
        tags = {f"hpsearch.{name}": value for name, value in flat.items() if name not in fixed}
        tags |= {f"hpsearch.{name}": value for name, value in session.provenance.items()} | _state("running")
        if commit := session.provenance.get("git_commit"):
            tags["mlflow.source.git.commit"] = commit.removesuffix("+dirty")
        self._runs.write(study, time_ms, tags=tags)

    def _run(self, fit: Fit, time_ms: int) -> Run:
        """The run of a fit's trial, or of a final fit, made where it is missing and RUNNING."""
        key, name = f"search {fit.trial}", f"trial {fit.trial}"
        if fit.kind == "final":
            key, name = f"final {fit.trial} {fit.repeat}", f"trial {fit.trial} · final seed {fit.repeat}"
        elif fit.kind == "whole":
            key, name = f"whole {fit.trial}", f"trial {fit.trial} · on all training rows"
        study = self._runs.find(STUDY)
        parent = {"mlflow.parentRunId": study.id} if study else {}
        tags = {"hpsearch.study": self._experiment.name, "hpsearch.trial": str(fit.trial), "hpsearch.kind": fit.kind}
        return self._runs.begin(key, name, time_ms, tags | parent)

    def _prefix(self, fit: Fit) -> str:
        data = self._experiment.data
        repeat = f"repeat_{fit.repeat}." if data.repeats > 1 and fit.kind == "search" else ""
        return repeat + (f"fold_{fit.fold}." if data.folds and fit.kind != "whole" else "")

    def _attempt_ended(self, end: AttemptEnd, time_ms: int) -> None:
        fit = end.attempt.fit
        run, prefix = self._run(fit, time_ms), self._prefix(fit)
        if end.how is not How.FINISHED:
            return  # begun again, or closed by its trial's result or the session's end
        if prefix or fit.kind != "search":
            self._runs.write(run, time_ms, _best(prefix, end.score, end.metrics), step=end.best_epoch or 0)
        if end.failure:
            self._failed(run, end, time_ms)
        if fit.kind != "search" and (end.failure or not prefix):
            self._runs.write(run, time_ms, {"seconds": end.seconds})
            self._close(run, "failed" if end.failure else "completed", time_ms)

    def _close(self, run: Run, state: str, time_ms: int) -> None:
        self._runs.write(run, time_ms, tags=_state(state))
        self._runs.mark(run, {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}[state], time_ms)

    def _failed(self, run: Run, ended: AttemptEnd | TrialResult, time_ms: int) -> None:
        if ended.failure:
            self._runs.write(run, time_ms, tags={"hpsearch.failure": words.failure(ended.failure)})
            whole = f"{ended.failure.kind}: {ended.failure.message}\n\n{ended.failure.traceback}"
            self._runs.keep(run, "log_text", whole, "failure.txt")

    def _trial_ended(self, result: TrialResult, news: News) -> None:
        run = self._run(Fit(result.trial.number, 0), news.time_ms)
        if result.status is Status.COMPLETED and result.score is not None and self._leads(result.score):
            self._runs.write(self._study(news), news.time_ms, {"best_score": result.score}, step=result.trial.number)
        varying = {name: value for name, value in result.trial.values.items() if name not in self._fixed}
        found = _best("", result.score, result.metrics)
        self._runs.write(run, news.time_ms, found, step=result.best_epoch or 0, params=varying)
        self._runs.write(run, news.time_ms, {"seconds": result.seconds})
        if result.best_epoch:
            self._runs.write(run, news.time_ms, {"best_epoch": result.best_epoch})
        self._failed(run, result, news.time_ms)
        score = {"hpsearch.score": result.score} if result.score is not None else {}
        told = {"hpsearch.reason": result.reason} if result.reason else {}
        self._runs.write(run, news.time_ms, tags=_state(result.status) | score | told)
        self._runs.mark(run, ENDS.get(result.status, "KILLED"), news.time_ms)

    def _leads(self, score: float) -> bool:
        """Whether no other completed trial that MLflow knows of has a better score."""
        key = self._experiment.objective.key
        if self._best is not None and key(self._best) < key(score):
            return False
        self._best = score
        return True

    def _scores(self) -> list[float]:
        tags = [run.tags for key, run in self._runs if key.startswith("search ")]
        return [
            float(one["hpsearch.score"])
            for one in tags
            if one.get("hpsearch.state") == "completed" and "hpsearch.score" in one
        ]

    def _close_finals(self, time_ms: int) -> None:
        """The finals are over: those made of several folds have no end of their own."""
        for key, run in self._runs:
            if run.status == "RUNNING" and key.startswith("final "):
                self._close(run, "completed", time_ms)

    def _verdict(self, verdict: Verdict, news: News) -> None:
        winner, study = self._run(Fit(verdict.winner, 0), news.time_ms), self._study(news)
        file = self._place.fits / verdict.model_fit / "model.keras"
        told = {"hpsearch.winner": "yes"} | mlflow_verdict.table_tag()
        if not winner.gone:
            self._runs.write(winner, news.time_ms, mlflow_verdict.figures(verdict))
            mlflow_verdict.keep_winner(self._runs, winner, verdict, self._curves(winner))
            told["hpsearch.model"] = self._model(winner, file, verdict)
        self._runs.write(winner, news.time_ms, tags=told)
        if winner.status == "RUNNING":  # it was made anew for this; otherwise its trial's end is its end
            self._runs.mark(winner, "FINISHED", news.time_ms)
        self._summarise(study, winner, verdict, news.time_ms)

    def _model(self, winner: Run, file: Path, verdict: Verdict) -> str:
        """The logged model's address, or why there is none: a model that cannot be loaded alone stops nothing."""
        try:
            tested = self._tested(verdict.model_fit)
            return str(self._call(log_model, self._place.uri, winner.id, file, verdict.winner, tested))
        except Exception as error:  # noqa: BLE001  # user code is in it; when MLflow is away, the next write says so
            return words.clean(f"not logged: {type(error).__name__}: {_safe(str(error))}", 1000)

    def _tested(self, fit: str) -> str:
        """The SHA-256 under which the model was tested; "" without a ledger."""
        if self._place.ledger is None:
            return ""
        with closing(Ledger(self._place.ledger, writer=False)) as ledger:
            openings = [news.body.models for news in ledger.recall([TestOpened]) if isinstance(news.body, TestOpened)]
        return openings[-1][fit]

    def _curves(self, run: Run) -> dict[str, list[tuple[int, float]]]:
        curves = {}
        for name in self._runs.found(run).metrics:
            if not name.rpartition(".")[2].startswith(OWN):
                history = self._client.get_metric_history(run.id, name)
                curves[name] = sorted({point.step: point.value for point in history}.items())
        return curves

    def _summarise(self, study: Run, winner: Run, verdict: Verdict, time_ms: int) -> None:
        states = Counter(run.tags.get("hpsearch.state", "") for key, run in self._runs if key.startswith("search "))
        counts = {status.value: states[status] for status in ENDS}
        values = {} if winner.gone else self._runs.found(winner).params
        scores = sorted(self._scores(), key=self._experiment.objective.key)
        best = words.score(scores[0] if scores else None)
        pruning = str(self._spared() or "")
        text = mlflow_verdict.note(self._experiment.name, verdict, values, counts, best, pruning)
        told = {"mlflow.note.content": text, "hpsearch.winner": verdict.winner}
        self._runs.write(study, time_ms, {"test_accuracy": verdict.test_accuracy}, tags=told)

    def _spared(self) -> Spared | None:
        """What pruning spared: the one figure that MLflow's own runs do not add up to."""
        if self._place.ledger is None or self._experiment.search.pruner == "none":
            return None
        ledger = Ledger(self._place.ledger, writer=False)
        try:
            return count(ledger.read())
        finally:
            ledger.close()

    def _session_ended(self, ended: SessionEnded, news: News) -> None:
        self._interrupt(news.time_ms)
        left = re.search("interrupt|exit", ended.reason, re.IGNORECASE)
        study = self._study(news)
        self._runs.write(study, news.time_ms, tags={"hpsearch.reason": _safe(ended.reason)})
        self._close(study, "completed" if ended.finished else "interrupted" if left else "failed", news.time_ms)

    def _interrupt(self, time_ms: int) -> None:
        """Close the runs that nobody works on any more."""
        for key, run in self._runs:
            if run.status == "RUNNING" and key != STUDY:
                self._close(run, "interrupted", time_ms)


@contextmanager
def _told_apart() -> Iterator[None]:
    """Within: what is raised comes out as NotHeard, on one line, without passwords."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it is, its text may hold a password
        message = f"MLflow: {words.clean(_safe(str(error) or type(error).__name__), 500)}"
        raise NotHeard(message) from None


def _safe(text: str) -> str:
    return re.sub(r"(?<=://)[^/?#\s@]*@", "***@", text)


def _state(state: str) -> dict[str, Any]:
    return {"hpsearch.state": str(state)}


def _best(prefix: str, score: float | None, metrics: Mapping[str, float]) -> dict[str, float]:
    found = {f"{prefix}best_{name}": value for name, value in metrics.items()}
    return found | ({f"{prefix}score": score} if score is not None else {})


def _flat(said: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """The experiment's keys and values, keys as "search.tuner"; addresses lose their passwords."""
    for key, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value is not None:
            yield f"{above}{key}", redacted(value) if isinstance(value, str) else json.dumps(value)
