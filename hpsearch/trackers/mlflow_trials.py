"""Writes what trials and final fits go through into their runs, and brings each to an end that says how it was."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hpsearch import words
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.records import Asked, AttemptBegan, Body
from hpsearch.space import Parameter
from hpsearch.trackers.mlflow_runs import ASKED, FAILURE, SIZE, STUDY, Run, Runs, names_of
from hpsearch.trackers.mlflow_view import view
from hpsearch.trial import CUT_OFF, AttemptEnd, Built, Fit, How, Measure, Status, TrialResult

STATUSES = {
    "completed": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}  # MLflow's, by our own

OURS = ("score", "seconds", "best_epoch", "epoch_seconds", SIZE)  # metrics that a model's own must not run into


class Trials:
    """The study's run with a run for each trial and each final fit; each is made when it is first needed."""

    def __init__(self, experiment: Experiment, runs: Runs, ledger: Path | None) -> None:
        """Remember by the tags of the runs what an earlier tracker of this study knew, by the ledger the values."""
        self._experiment, self._runs, self._ledger = experiment, runs, ledger
        self._asked: dict[int, str] = {}
        self._earlier_finals = [key for key, _ in runs if not key.startswith("search ")]  # later ones know their trial
        study = runs.find(STUDY)
        fixed = study.tags.get("hpsearch.fixed") if study else None
        self._fixed: set[str] | None = None if fixed is None else set(json.loads(fixed))
        self._best = self._leader()

    def study(self, time_ms: int) -> Run:
        """The run of the study itself."""
        tags = {"hpsearch.study": self._experiment.name, "hpsearch.kind": STUDY}
        return self._runs.begin(STUDY, self._experiment.name, time_ms, tags)

    def of(self, fit: Fit, time_ms: int) -> Run:
        """The run of a fit's trial, or of a final fit, made where it is missing and RUNNING."""
        key, name = f"search {fit.trial}", f"trial {fit.trial}"
        if fit.kind != "search":
            key = f"{fit.kind} {fit.trial} {fit.repeat}"
            name += f" · {'final' if fit.kind == 'final' else 'all training rows,'} seed {fit.repeat + 1}"
        if run := self._runs.find(key):
            return run
        study = self._runs.find(STUDY)
        tags = {"mlflow.parentRunId": study.id} if study else {}
        tags |= {"hpsearch.study": self._experiment.name, "hpsearch.trial": str(fit.trial), "hpsearch.kind": fit.kind}
        tags |= {ASKED: asked} if (asked := self._when_asked(fit.trial)) else {}
        return self._runs.begin(key, name, time_ms, tags)

    def _when_asked(self, trial: int) -> str | None:
        """The time of the record that asked for the trial."""
        if trial not in self._asked and self._ledger is not None:  # an earlier tracker was told
            with closing(Ledger(self._ledger, writer=False)) as ledger:
                for news in ledger.recall([Asked]):
                    if isinstance(news.body, Asked):
                        self._asked[news.body.trial.number] = str(news.time_ms)
        return self._asked.get(trial)

    def fix(self, parameters: Sequence[Parameter], time_ms: int) -> None:
        """Remember which parameters never vary, and so are no params of a trial's run; have the others shown."""
        searched = dict.fromkeys(one.name for one in parameters if one.kind != "fixed")
        fixed = {one.name for one in parameters} - searched.keys()
        self._runs.show(view(names_of(searched), greater_is_better=self._experiment.objective.goal == "max"))
        self._note_fixed(fixed if self._fixed is None else fixed & self._fixed, time_ms)

    def vary(self, name: str, time_ms: int) -> None:
        """Take in that a parameter is searched, which another branch of the space may fix."""
        if self._fixed and name in self._fixed:
            self._note_fixed(self._fixed - {name}, time_ms)

    def _note_fixed(self, names: set[str], time_ms: int) -> None:
        searched, self._fixed = (self._fixed or set()) - names, names
        if searched and self._ledger is not None:  # they are params of the trials that ended before, too
            with closing(Ledger(self._ledger, writer=False)) as ledger:
                for news in ledger.recall([TrialResult]):
                    self._name_values(news.body, searched, time_ms)
        self._runs.write(self.study(time_ms), time_ms, tags={"hpsearch.fixed": json.dumps(sorted(names))})

    def _name_values(self, body: Body, names: set[str], time_ms: int) -> None:
        if isinstance(body, TrialResult) and (run := self._runs.find(f"search {body.trial.number}")):
            values = {name: value for name, value in body.trial.values.items() if name in names}
            self._runs.write(run, time_ms, params=values)

    def asked(self, trial: int, time_ms: int) -> None:
        """Take in that a trial was asked for: older runs of its number are of one that a repaired ledger forgot."""
        self._asked[trial] = str(time_ms)  # another asking has another, an earlier one where the clock was set back
        keys = [f"search {trial}", *(key for key in self._earlier_finals if key.split()[1:2] == [str(trial)])]
        asked = {key: run.tags.get(ASKED) for key in keys if (run := self._runs.find(key))}
        older = [key for key, when in asked.items() if when not in {None, self._asked[trial]}]
        for key in older:
            self._runs.set_aside(key, time_ms, "the ledger was restored to a time before this trial")
        if older:
            self._best = self._leader()

    def hear(self, body: AttemptBegan | Built | Measure | AttemptEnd, time_ms: int) -> None:
        """Take in what came of an attempt."""
        fit = body.attempt.fit
        run, prefix = self.of(fit, time_ms), self._prefix(fit)
        match body:
            case AttemptBegan(attempt):
                self._runs.mark(run, "RUNNING")
                tags = {"hpsearch.state": "running", "hpsearch.reason": "", "hpsearch.attempt": attempt.number}
                failures = (f"hpsearch.{prefix}{FAILURE}", f"hpsearch.{FAILURE}")
                tags |= {name: "" for name in failures if run.tags.get(name)}
                self._runs.write(run, time_ms, tags=tags)
            case Built(_, parameters, summary):
                self._runs.write(run, time_ms, tags={f"hpsearch.{prefix}{SIZE}": parameters})
                self._runs.keep(run, "log_text", summary, "model_summary.txt")
            case Measure(_, epoch, metrics, seconds):
                leading = {name: metrics[name] for name in (self._experiment.objective.metric,) if name in metrics}
                named = {prefix + _apart(name): value for name, value in (leading | dict(metrics)).items()}
                self._runs.write(run, time_ms, named | {f"{prefix}epoch_seconds": seconds}, step=epoch)
            case AttemptEnd():
                self._attempt_ended(body, time_ms)

    def _prefix(self, fit: Fit) -> str:
        data = self._experiment.data
        repeat = f"repeat_{fit.repeat}." if data.repeats > 1 and fit.kind == "search" else ""
        return repeat + (f"fold_{fit.fold}." if data.folds and fit.kind != "whole" else "")

    def _attempt_ended(self, end: AttemptEnd, time_ms: int) -> None:
        fit = end.attempt.fit
        run, prefix = self.of(fit, time_ms), self._prefix(fit)
        if size := run.tags.get(f"hpsearch.{prefix}{SIZE}"):  # not before: MLflow compares by the first metric written
            self._runs.write(run, time_ms, {f"{prefix}{SIZE}": float(size)})
        if end.how is not How.FINISHED:  # begun again, or closed by its trial's result or the session's end
            reason = words.clean(end.reason or end.how, 1000)
            lost = fit.kind == "final" and end.how is How.LOST  # and was so for good, unless it is begun again
            tags = {f"hpsearch.{prefix}{FAILURE}": reason} if lost else {}
            self._runs.write(run, time_ms, tags={"hpsearch.reason": reason, **tags})
            return
        if prefix or fit.kind != "search":
            self._runs.write(run, time_ms, _best(prefix, end))
        if end.failure:
            self._failed(run, end, time_ms, prefix)
        if fit.kind != "search" and (end.failure or not prefix):
            self._runs.write(run, time_ms, {"seconds": end.seconds})
            self.close(
                run, "failed" if end.failure else "completed", time_ms, words.reason(end.failure, end.reason, 1000)
            )

    def close(self, run: Run, state: str, time_ms: int, reason: str = "") -> None:
        """End the run; without a reason, the one it has stands, or the state for want of another."""
        reason = reason or run.tags.get("hpsearch.reason") or state
        self._runs.write(run, time_ms, tags={"hpsearch.state": state, "hpsearch.reason": reason})
        self._runs.mark(run, STATUSES[state], time_ms)

    def interrupt(self, time_ms: int) -> None:
        """Close the runs that nobody works on any more."""
        for key, run in self._runs:
            if run.status == "RUNNING" and key != STUDY:
                self.close(run, "interrupted", time_ms, run.tags.get("hpsearch.reason") or _failure_in(run) or CUT_OFF)

    def close_finals(self, time_ms: int) -> None:
        """The finals are over: those made of several folds have no end of their own, nor has one that was lost."""
        for key, run in self._runs:
            if run.status == "RUNNING" and key.startswith("final "):
                failure = _failure_in(run)
                self.close(run, "failed" if failure else "completed", time_ms, failure)

    def _failed(self, run: Run, ended: AttemptEnd | TrialResult, time_ms: int, prefix: str = "") -> None:
        if ended.failure:
            self._runs.write(run, time_ms, tags={f"hpsearch.{prefix}{FAILURE}": words.failure(ended.failure)})
            whole = f"{ended.failure.kind}: {ended.failure.message}\n\n{ended.failure.traceback}"
            self._runs.keep(run, "log_text", whole, "failure.txt")

    def ended(self, result: TrialResult, number: int, time_ms: int) -> None:
        """Take in a trial's result, which is the record of this number."""
        run = self.of(Fit(result.trial.number, 0), time_ms)
        if result.status is Status.COMPLETED and result.score is not None and self._leads(result.score):
            self._runs.write(self.study(time_ms), time_ms, {"best_score": result.score}, step=number)
        varying = {name: value for name, value in result.trial.values.items() if name not in (self._fixed or ())}
        self._runs.write(run, time_ms, {**_best("", result), "seconds": result.seconds}, params=varying)
        self._failed(run, result, time_ms)
        if result.score is not None:
            self._runs.write(run, time_ms, tags={"hpsearch.score": result.score})
        self.close(run, str(result.status), time_ms, words.reason(result.failure, result.reason, 1000))

    def _leader(self) -> float | None:
        return min(self.scores(), key=self._experiment.objective.key, default=None)

    def _leads(self, score: float) -> bool:
        """Whether no other completed trial that MLflow knows of has a better score."""
        key = self._experiment.objective.key
        if self._best is not None and key(self._best) < key(score):
            return False
        self._best = score
        return True

    def scores(self) -> list[float]:
        """The scores of the completed trials, in no order."""
        tags = [run.tags for key, run in self._runs if key.startswith("search ")]
        return [
            float(one["hpsearch.score"])
            for one in tags
            if one.get("hpsearch.state") == "completed" and "hpsearch.score" in one
        ]


def _failure_in(run: Run) -> str:
    """Why the run, or the first of its folds that failed, came to nothing; "" where none did."""
    return next((text for name, text in sorted(run.tags.items()) if name.endswith(FAILURE) and text), "")


def _apart(name: str) -> str:
    """A metric's name in MLflow: one that validates has a val_, so one that we write ourselves is of training."""
    return f"train_{name}" if name in OURS else name


def _best(prefix: str, ended: AttemptEnd | TrialResult) -> dict[str, float]:
    """What the best epoch came to, for step 0: MLflow takes the largest step for the latest, then the time.

    A trial that got more time may have its best at an earlier epoch than before, so the step may not be that epoch.
    """
    found = {f"{prefix}best_{name}": value for name, value in ended.metrics.items()}
    found |= {f"{prefix}score": ended.score} if ended.score is not None else {}
    return found | ({f"{prefix}best_epoch": ended.best_epoch} if ended.best_epoch else {})
