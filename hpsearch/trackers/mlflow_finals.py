"""Tells MLflow what the finals came to: at the winner's run its test figures and model, at the study's a summary."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import wait
from contextlib import closing
from functools import partial
from itertools import chain, repeat

from hpsearch import words
from hpsearch.aside import aside
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.paths import FitFiles
from hpsearch.protocols import Call
from hpsearch.records import SessionBegan, TestOpened, Verdict
from hpsearch.sparing import Spared, count
from hpsearch.trackers import mlflow_verdict
from hpsearch.trackers.mlflow_insisting import NotTaken, insist
from hpsearch.trackers.mlflow_model import Winner, log_model
from hpsearch.trackers.mlflow_registry import MODELS, register
from hpsearch.trackers.mlflow_runs import MODEL, NOT_LOGGED, NOT_REGISTERED, REGISTERED, Run, Runs
from hpsearch.trackers.mlflow_store import Place
from hpsearch.trackers.mlflow_trials import Trials
from hpsearch.trial import Fit

STATES = ("completed", "pruned", "failed")
OWN = ("best_", "seconds", "score", "n_parameters", "epoch_seconds", "test_")  # metrics that are no learning curves


class Finals:
    """The end of a study's story; `call` runs a function in a fresh process, where the winner's model is logged."""

    def __init__(self, experiment: Experiment, place: Place, runs: Runs, trials: Trials, call: Call) -> None:
        """Write into the runs of this place."""
        self._experiment, self._place, self._call = experiment, place, call
        self._runs, self._trials = runs, trials

    def hear(self, verdict: Verdict, number: int, time_ms: int) -> None:
        """Take in the verdict, which is the record of this number."""
        winner, study = self._trials.of(Fit(verdict.winner, 0), time_ms), self._trials.study(time_ms)
        told = {"hpsearch.winner": "yes"} | mlflow_verdict.table_tag()
        if not winner.gone:
            figures = mlflow_verdict.figures(verdict)
            self._runs.write(winner, time_ms, figures)
            log = partial(self._log, winner, verdict, number)
            first = aside(log)  # it takes seconds to import what the model takes: the pictures are drawn meanwhile
            try:
                mlflow_verdict.keep_winner(self._runs, winner, verdict, self._curves(winner, figures))
            finally:
                wait([first])  # the line that it is asked by is needed for more
            told[MODEL] = self._model(winner, chain([first.result], repeat(log)))
            told |= self._registered(winner, told[MODEL], verdict)
        self._runs.write(winner, time_ms, tags=told)
        for _, run in self._runs:  # the finals may be held again, after more search
            if run is not winner and run.tags.get("hpsearch.winner") == "yes":
                self._runs.write(run, time_ms, tags={"hpsearch.winner": "no"})
        if winner.status == "RUNNING":  # it was made anew for this; otherwise its trial's end is its end
            self._runs.mark(winner, "FINISHED", time_ms)
        self._summarise(study, winner, verdict, time_ms)

    def _log(self, winner: Run, verdict: Verdict, number: int) -> str:
        file = FitFiles(self._place.fits / verdict.model_fit).model
        tested, shape = self._tested(verdict, number)
        model = Winner(file, verdict.winner, tested, shape, self._place.root, self._experiment.model.build)
        return str(self._call(log_model, self._place.uri, winner.id, model))

    def _model(self, winner: Run, tries: Iterator[Callable[[], str]]) -> str:
        """The logged model's address, or why there is none: a model that cannot be loaded alone stops nothing."""

        def give() -> str:
            return next(tries)()

        try:
            return insist(give, partial(self._runs.found, winner))
        except NotTaken as error:
            return f"{NOT_LOGGED}{error}"

    def _registered(self, winner: Run, model: str, verdict: Verdict) -> dict[str, str]:
        """Where the model is registered, or why it is not, as a tag; nothing where nobody asked for it."""
        name = self._experiment.tracking.register_as
        if name is None:
            return {}
        if not model.startswith(MODELS):
            return {REGISTERED: f"{NOT_REGISTERED}{name}: the model was not logged"}
        about = {"hpsearch.study": self._experiment.name, "hpsearch.study_id": self._place.study_id}
        about |= {"hpsearch.trial": str(verdict.winner), "hpsearch.model_accuracy": f"{verdict.model_accuracy:.4f}"}
        give = partial(self._call, register, self._place.uri, name, model, winner.id, about)
        try:
            return {REGISTERED: insist(give, partial(self._runs.found, winner))}
        except NotTaken as error:  # a server may have no registry
            return {REGISTERED: f"{NOT_REGISTERED}{name}: {error}"}

    def _tested(self, verdict: Verdict, number: int) -> tuple[str, tuple[int, ...]]:
        """The SHA-256 under which the verdict's model was tested, and the shape of its images; empty if not known.

        They are the last that were told before the verdict, which is the record of this number.
        """
        if self._place.ledger is None:
            return "", ()
        with closing(Ledger(self._place.ledger, writer=False)) as ledger:
            told = [news.body for news in ledger.recall([SessionBegan, TestOpened]) if news.number < number]
        began = next(body for body in reversed(told) if isinstance(body, SessionBegan))
        opened = next(body for body in reversed(told) if isinstance(body, TestOpened))
        return opened.models[verdict.model_fit], tuple(json.loads(began.provenance.get("image_shape", "[]")))

    def _curves(self, run: Run, figures: Collection[str]) -> dict[str, list[tuple[int, float]]]:
        names = [name for name in self._runs.found(run).metrics if not name.rpartition(".")[2].startswith(OWN)]
        return {name: self._runs.history(run, name) for name in names if name not in figures}

    def _summarise(self, study: Run, winner: Run, verdict: Verdict, time_ms: int) -> None:
        states = Counter(run.tags.get("hpsearch.state", "") for key, run in self._runs if key.startswith("search "))
        counts = {state: states[state] for state in STATES}
        values = {} if winner.gone else self._runs.found(winner).params
        scores = sorted(self._trials.scores(), key=self._experiment.objective.key)
        best = words.score(scores[0] if scores else None)
        pruning = str(self._spared() or "")
        text = mlflow_verdict.note(self._experiment, verdict, values, counts, best, pruning)
        told = {"mlflow.note.content": text, "hpsearch.winner": verdict.winner}
        self._runs.write(study, time_ms, mlflow_verdict.headline(verdict), tags=told)

    def _spared(self) -> Spared | None:
        """What pruning spared: the one figure that MLflow's own runs do not add up to."""
        wanted = self._experiment
        if self._place.ledger is None or (wanted.search.pruner == "none" and not wanted.races):
            return None
        with closing(Ledger(self._place.ledger, writer=False)) as ledger:
            return count(ledger.read())
