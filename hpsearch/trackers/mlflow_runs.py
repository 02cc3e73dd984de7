"""Writes into the MLflow runs of one study, each found again by its tags, as often as the same news comes."""

import getpass
import hashlib
import math
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hpsearch import words
from hpsearch.trackers.mlflow_insisting import NotTaken, insist
from hpsearch.trackers.mlflow_store import experiment_id
from hpsearch.trackers.mlflow_view import VIEW

KEY = "hpsearch.key"  # the tag by which a run is found again
STUDY = "study"
LOST = "lost"  # the state of a run whose trial the ledger no longer knows
PAGE = 1000
LONGEST = {"key": 250, "param": 6000, "tag": 8000}  # signs
SIZE = "n_parameters"  # how tags end that keep a model's size until its first scores are written
FILES, NOT_KEPT = "hpsearch.files", "not kept: "  # the tag that says why the store of files did not take one
MODEL, NOT_LOGGED = "hpsearch.model", "not logged: "  # the tag with the model's address, or why there is none
REGISTERED, NOT_REGISTERED = "hpsearch.registered", "not registered as "  # the same of its registered version
UNTAKEN = {
    FILES: ("files of runs", NOT_KEPT),
    MODEL: ("the winner's model", NOT_LOGGED),
    REGISTERED: ("the winner", NOT_REGISTERED),
}  # what MLflow may not take, by its tag: in words, and how the tag begins then
LONGEST_REASON = 400  # signs of why something was not taken, for a terminal
ASKED = "hpsearch.asked"  # the tag that says when the trial was asked for, in Unix milliseconds
FAILURE = "failure"  # how tags end that say why a trial, or a fold of a final fit, came to nothing
REMEMBERED = (
    "hpsearch.state",
    "hpsearch.reason",
    "hpsearch.score",
    "hpsearch.fixed",
    "hpsearch.winner",
    ASKED,
    *UNTAKEN,
)  # tags that are read again


@dataclass
class Unsent:
    """What waits for the next request: points of metrics as (key, value, time_ms, step), params and tags by key."""

    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """One run of the study; `gone` when a person deleted it, so that nothing is written to it any more.

    Of its tags only those that are read again are kept, because a study may have many thousands of runs.
    """

    id: str
    status: str
    tags: dict[str, str]
    gone: bool = False


class Runs:
    """The study's runs by key: "study", "search 7", "final 7 seed 2"; found by one search at the start."""

    def __init__(self, client: Any, experiment: str, study: str) -> None:
        """`study` is the study's id, one of its own even among studies of the same name."""
        self._client, self._study = client, study
        self._experiment = experiment_id(client, experiment)
        self._runs: dict[str, Run] = {}
        self.sort_out()
        self._unsent: dict[str, tuple[Run, Unsent]] = {}
        self._takes_files = True

    def sort_out(self) -> None:
        """Look for the study's runs in MLflow, and delete the second of a key: a call made it whose answer was late.

        Such a run was never written to; of two it is the one with fewer tags.
        """
        for key, found in sorted(self._search(), key=lambda one: (one[1].gone, -len(one[1].tags))):
            if found.id != self._runs.setdefault(key, found).id and not found.gone:
                self._client.set_terminated(found.id, "KILLED")
                self._client.delete_run(found.id)

    def _search(self) -> Iterator[tuple[str, Run]]:
        from mlflow.entities import ViewType

        token, wanted = None, f"tags.`hpsearch.study_id` = '{self._study}'"
        while True:
            page = self._client.search_runs([self._experiment], wanted, ViewType.ALL, PAGE, page_token=token)
            for found in page:
                tags, gone = found.data.tags, found.info.lifecycle_stage == "deleted"
                if key := tags.get(KEY):  # without it, a person took it away, and a new run takes its place
                    yield key, Run(found.info.run_id, found.info.status, _remembered(tags), gone)
            token = page.token
            if not token:
                return

    def __iter__(self) -> Iterator[tuple[str, Run]]:
        """All runs with their keys."""
        return iter(list(self._runs.items()))

    def find(self, key: str) -> Run | None:
        """The run of this key, if it was made."""
        return self._runs.get(key)

    def show(self, view: Mapping[str, str]) -> None:
        """Tag MLflow's experiment with what its pages show; what else a person, or we, said there stands."""
        there = self._client.get_experiment(self._experiment).tags
        for key, text in view.items():
            if key not in there or (key == VIEW and there[key] != text):
                self._client.set_experiment_tag(self._experiment, key, text)

    def begin(self, key: str, name: str, time_ms: int, tags: Mapping[str, str]) -> Run:
        """The run of this key, made RUNNING unless it is there; its name and tags are those of its first time."""
        if run := self._runs.get(key):
            return run
        own = {"hpsearch.study_id": self._study, KEY: key, "mlflow.user": _user()}
        own |= {"mlflow.source.name": "hpsearch", "mlflow.source.type": "LOCAL", "mlflow.runName": name, **tags}
        own = {name_of(key): _cut(text, "tag") for key, text in own.items()}
        made = self._client.create_run(self._experiment, start_time=time_ms, tags=own, run_name=name)
        run = self._runs[key] = Run(made.info.run_id, "RUNNING", _remembered(own))
        return run

    def set_aside(self, key: str, time_ms: int, reason: str) -> None:
        """Let the run of a key, which is there, be none of the study's, for people alone; another may take its key."""
        run = self._runs[key]
        if run.status == "RUNNING":
            self.mark(run, "KILLED", time_ms)
        tags = {"hpsearch.study_id": f"{self._study} {LOST}", "hpsearch.state": LOST, "hpsearch.reason": reason}
        self.write(run, time_ms, tags=tags | ({"hpsearch.winner": "no"} if "hpsearch.winner" in run.tags else {}))
        self._send(run)
        del self._runs[key]

    def mark(self, run: Run, status: str, time_ms: int | None = None) -> None:
        """Give the run a status, with the time of its end unless it goes on."""
        if run.status == status and status == "RUNNING":
            return
        self._send(run)
        if status == "RUNNING":
            self._guarded(run, "update_run", run.id, status=status)
        else:
            self._guarded(run, "set_terminated", run.id, status=status, end_time=time_ms)
        run.status = status

    def write(
        self,
        run: Run,
        time_ms: int,
        metrics: Mapping[str, float] | None = None,
        *,
        step: int = 0,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Have all of it logged by the next `flush`; what is already there stays as it is."""
        told = {name: str(text) for name, text in (tags or {}).items()}
        run.tags |= _remembered(told)
        _, unsent = self._unsent.setdefault(run.id, (run, Unsent()))
        unsent.metrics += [(name, _sound(value), time_ms, step) for name, value in _named(metrics or {})]
        unsent.params = {name: _cut(value, "param") for name, value in _named(params or {})} | unsent.params
        unsent.tags |= {name: _cut(text, "tag") for name, text in _named(told)}

    def flush(self) -> None:
        """Log what waits, one run after another, each in as few requests as MLflow allows (its client divides)."""
        for run, _ in list(self._unsent.values()):
            self._send(run)

    def _send(self, run: Run) -> None:
        from mlflow.entities import Metric, Param, RunTag

        if run.id not in self._unsent:
            return
        _, unsent = self._unsent[run.id]
        metrics = [Metric(*point) for point in unsent.metrics]
        params = [Param(*one) for one in unsent.params.items()]
        tags = [RunTag(*one) for one in unsent.tags.items()]
        self._guarded(run, "log_batch", run.id, metrics, params, tags)
        del self._unsent[run.id]

    def found(self, run: Run) -> Any:
        """What MLflow has of the run: `params`, `metrics` (their last values) and `tags`, each a dict."""
        self._send(run)
        return self._client.get_run(run.id).data

    def history(self, run: Run, metric: str) -> list[tuple[int, float]]:
        """A metric's points as (step, value), one a step, in their order."""
        history = self._client.get_metric_history(run.id, metric)
        return sorted({point.step: point.value for point in history}.items())

    def keep(self, run: Run, what: str, *arguments: Any) -> None:
        """Keep an artifact: `what` is the client's log_text, log_dict or log_artifact.

        Where MLflow answers, but its store of files takes none from here, a tag of the run says so.
        """
        give, ask = partial(self._guarded, run, what, run.id, *arguments), partial(self._client.get_run, run.id)
        try:
            insist(give, ask, pause=self._takes_files)
        except NotTaken as error:
            self._takes_files = False  # for now: of many files each would cost a pause
            self.write(run, 0, tags={FILES: f"{NOT_KEPT}{error}"})
        else:
            self._takes_files = True

    def try_again(self) -> bool:
        """Whether something of a run was not taken; its tag no longer says so then, for all is told again."""
        lacking = list(self._lacking())
        for run, tag in lacking:
            self.write(run, 0, tags={tag: ""})
        return bool(lacking)

    def lacks(self) -> str:
        """What was not taken, files or the winner's model, with a reason for each; "" where all was."""
        reasons = {tag: run.tags[tag] for run, tag in self._lacking() if run.tags.get("hpsearch.winner") != "no"}
        return "; ".join(
            f"{what} {words.shortened(reasons[tag], LONGEST_REASON)}"
            for tag, (what, _) in UNTAKEN.items()
            if tag in reasons
        )

    def _lacking(self) -> Iterator[tuple[Run, str]]:
        for run in self._runs.values():
            for tag, (_, beginning) in UNTAKEN.items():
                if not run.gone and run.tags.get(tag, "").startswith(beginning):
                    yield run, tag

    def _guarded(self, run: Run, method: str, *arguments: Any, **named: Any) -> None:
        """Call the client, unless the run was deleted by a person: that is their right, and no trouble."""
        if run.gone:
            return
        try:
            getattr(self._client, method)(*arguments, **named)
        except Exception:
            run.gone = self._deleted(run)
            if not run.gone:
                raise

    def _deleted(self, run: Run) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(run.id).info.lifecycle_stage == "deleted")
        except MlflowException as error:
            return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def _remembered(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in tags.items() if name in REMEMBERED or name.endswith((SIZE, FAILURE))}


def _named(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return zip(names_of(given), given.values(), strict=True)


def names_of(keys: Iterable[str]) -> list[str]:
    """The keys as MLflow allows them; those that differ in other signs alone are told apart by a digest."""
    names = [(key, name_of(key)) for key in keys]
    many = Counter(name for _, name in names)
    return [name if many[name] == 1 or name == key else _marked(key, name) for key, name in names]


def _marked(key: str, name: str) -> str:
    mark = hashlib.sha256(key.encode(errors="backslashreplace")).hexdigest()[:6]
    return f"{name[: LONGEST['key'] - len(mark) - 1]}_{mark}"


def name_of(key: str) -> str:
    """A key as MLflow allows it: some signs only, and nothing that reads as another path."""
    kept = re.sub(r"[^\w\-. :/]", "_", key)[: LONGEST["key"]]
    odd = posixpath.normpath(kept) != kept or kept.startswith(("/", ".."))
    return kept.replace("/", "_").replace("..", "__") or "_" if odd or kept == "." else kept


def _cut(value: object, what: str) -> str:
    text, longest = str(value), LONGEST[what]
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _sound(value: float) -> float:
    """MLflow keeps NaN, but turns infinity into 1.8e308, which no chart survives."""
    return float(value) if math.isfinite(value) else math.nan


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
