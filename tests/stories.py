"""A small study's story as the ledger tells it, and what MLflow has of it in the end."""

# ruff: noqa: E501  # a story reads best with each record on one line

import itertools
import math
import random
import string
from statistics import fmean
from typing import Any

from hpsearch import records
from hpsearch.errors import HpsearchError
from hpsearch.experiment import Experiment
from hpsearch.records import (
    Answered,
    Asked,
    AttemptBegan,
    Comparison,
    Finalist,
    FinalistsChosen,
    News,
    SessionBegan,
    SessionEnded,
    SpaceFound,
    Verdict,
)
from hpsearch.space import Parameter
from hpsearch.trackers.mlflow_store import client
from hpsearch.trackers.via_mlflow import Place, ViaMLflow
from hpsearch.trial import Attempt, AttemptEnd, Built, Failure, Fit, How, Measure, Status, Trial, TrialResult

EXPERIMENT = Experiment.model_validate(
    {"name": "tiny", "model": {"build": "space:build"}, "search": {"trials": 3}, "train": {"epochs": 3}}
)
RATE = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
DEPTH = Parameter("depth", "fixed", 2)
ROW = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 50.0}


def told(bodies: list[Any]) -> list[News]:
    return [News(number, 1_700_000_000_000 + 1000 * number, number / 2, body) for number, body in enumerate(bodies, 1)]


def fit_story(fit: Fit, scores: list[float]) -> list[Any]:
    attempt = Attempt(fit)
    measures = [
        Measure(attempt, epoch, {"val_accuracy": score, "loss": 1 / epoch}, 0.5)
        for epoch, score in enumerate(scores, 1)
    ]
    best = max(range(len(scores)), key=lambda place: scores[place]) + 1
    end = AttemptEnd(
        attempt, How.FINISHED, 1.5, scores[best - 1], best, len(scores), {"val_accuracy": scores[best - 1]}
    )
    return [AttemptBegan(attempt), Built(attempt, 1234, "a small model", "graph"), *measures, end]


def trial_story(number: int, scores: list[float], status: Status = Status.COMPLETED) -> list[Any]:
    best = max(scores)
    values = {"rate": 0.1 * (number + 1), "depth": 2}
    result = TrialResult(Trial(number, values), status, best, scores.index(best) + 1, 1.5, {"val_accuracy": best})
    return [*fit_story(Fit(number, number), scores), result]


def began(experiment: Experiment = EXPERIMENT) -> list[Any]:
    facts = {"data_digest": "abc123", "git_commit": "0f1e2d", "keras": "3.15.1"}
    return [SessionBegan("tiny", experiment.model_dump(mode="json"), {}, (), facts), SpaceFound((RATE, DEPTH))]


def half_fixed() -> list[Any]:
    """A study in which one branch fixes what another searches; sample builds met the first alone."""
    units = Parameter("units", "int", 64, low=32, high=512)
    bodies = [*began()[:1], SpaceFound((RATE, DEPTH, units.fixed_to(96)))]
    for number, (asked, value) in enumerate([(units, 128), (units.fixed_to(96), 96), (units, 256)]):
        told_of, result = trial_story(number, [0.5]), {"rate": 0.1, "depth": 2, "units": value}
        answers = [Answered(number, RATE, 0.1), Answered(number, DEPTH, 2), Answered(number, asked, value)]
        head = [Asked(Trial(number)), *told_of[:1], *answers, *told_of[1:-1]]
        bodies += [*head, TrialResult(Trial(number, result), Status.COMPLETED, 0.5, 1, 1.5)]
    return bodies


def finals() -> list[Any]:
    verdict = Verdict(
        0, "final-0000-r1-f0", (Finalist(0, (0.8, 0.82), (0.79, 0.81)), Finalist(1, (0.7,), (0.69,))), 100, 0.81,
        {"nought": ROW, "one": ROW, "macro avg": ROW, "weighted avg": ROW}, ((40, 10), (5, 45)), ("nought", "one"),
        interval=(0.68, 0.87), ties=(1,), optimism=0.01, bootstrap_optimism=0.02,
    )  # fmt: skip
    fits = [body for repeat in (0, 1) for body in fit_story(Fit(0, 7, "final", repeat=repeat), [0.7, 0.8])]
    return [FinalistsChosen((0, 1)), *fits, records.TestOpened({"final-0000-r1-f0": "0" * 64}), verdict]


def whole_story() -> list[News]:
    failed = TrialResult(Trial(2, {"rate": 0.3}), Status.FAILED, failure=Failure("ValueError", "too deep", "Traceback"))
    trials = [*trial_story(0, [0.5, 0.8, 0.7]), *trial_story(1, [0.4], Status.PRUNED)]
    crash = [
        AttemptBegan(Attempt(Fit(2, 2))),
        AttemptEnd(Attempt(Fit(2, 2)), How.FINISHED, 0.1, failure=failed.failure),
        failed,
    ]
    return told([*began(), *trials, *crash, *finals(), SessionEnded(finished=True, reason="the budget is spent")])


def no_model(_function: Any, *_arguments: Any) -> str:
    """An error of our own, for which MLflow is not asked a second time."""
    message = "no model here"
    raise HpsearchError(message)


def hear_all(place: Place, story: list[News], experiment: Experiment = EXPERIMENT, call: Any = no_model) -> None:
    tracker = ViaMLflow(experiment, place, call)
    for news in story:
        tracker.hear(news)
    tracker.close()


def runs_of(place: Place) -> dict[str, Any]:
    own = client(place.uri)
    found = own.search_runs([own.get_experiment_by_name(place.experiment).experiment_id], max_results=100)
    return {run.data.tags["hpsearch.key"]: run for run in found}


def everything(place: Place) -> Any:
    own = client(place.uri)
    return {
        key: (
            run.info.run_id, run.info.status, run.info.start_time, run.info.end_time, run.data.params, run.data.tags,
            {name: [(p.step, p.value, p.timestamp) for p in own.get_metric_history(run.info.run_id, name)] for name in run.data.metrics},
        )
        for key, run in runs_of(place).items()
    }  # fmt: skip


SPACE = (
    Parameter("learning_rate", "float", 1e-3, low=1e-4, high=1e-1, sampling="log"),
    Parameter("layers", "int", 2, low=1, high=3),
    Parameter("units_0", "int", 256, low=32, high=512, step=32),
    Parameter("activation", "choice", "relu", choices=("relu", "elu", "leaky_relu")),
    Parameter("batch_norm", "boolean", default=False, choices=(False, True)),
    Parameter("batch_size", "choice", 128, choices=(64, 128, 256), ordered=True),
)
UNITS_1 = Parameter("units_1", "int", 256, low=32, high=512, step=32)  # which only deeper networks have


def large_story(trials: int, epochs: int = 5, classes: int = 10, seed: int = 0) -> list[News]:
    """A study on two workers, with trials that were completed, pruned and failed, and with finals."""
    draw = random.Random(seed)
    told_by = ([], [])
    for number in range(trials):
        told_by[number % 2].append(_drawn_trial(draw, number, epochs))
    bodies = [*began(pruning_experiment(trials, epochs)), SpaceFound(SPACE)]
    for pair in itertools.zip_longest(*told_by, fillvalue=[]):
        for both in itertools.zip_longest(*pair):
            bodies += [body for body in both if body is not None]
    return told([*bodies, *_drawn_finals(draw, classes), SessionEnded(finished=True, reason="the budget is spent")])


def pruning_experiment(trials: int, epochs: int) -> Experiment:
    search = {"trials": trials, "pruner": "asha", "tuner": "optuna.tpe"}
    return Experiment.model_validate(
        {"name": "large", "model": {"build": "space:build"}, "search": search, "train": {"epochs": epochs}}
    )


def _drawn_trial(draw: random.Random, number: int, epochs: int) -> list[Any]:
    values = {
        "learning_rate": 10 ** draw.uniform(-4, -1), "layers": draw.randint(1, 3), "units_0": draw.randrange(32, 513, 32),
        "activation": draw.choice(SPACE[3].choices), "batch_norm": draw.random() < 0.5, "batch_size": draw.choice((64, 128, 256)),
    }  # fmt: skip
    asked = [Answered(number, one, values[one.name]) for one in SPACE]
    if values["layers"] > 1:
        values["units_1"] = draw.randrange(32, 513, 32)
        asked.append(Answered(number, UNITS_1, values["units_1"]))
    head = [Asked(Trial(number)), AttemptBegan(Attempt(Fit(number, number))), *asked]
    if draw.random() < 0.06:
        failure = Failure(*draw.choice([("oom", "killed at 2.1 GB"), ("ValueError", "negative dimension\nTraceback")]))
        end = AttemptEnd(Attempt(Fit(number, number)), How.FINISHED, 0.1, failure=failure)
        return [*head, end, TrialResult(Trial(number, values), Status.FAILED, failure=failure)]
    top = (
        0.86
        - 0.05 * (math.log10(values["learning_rate"]) + 2.6) ** 2
        + 0.01 * values["batch_norm"]
        + draw.gauss(0, 0.01)
    )
    status = Status.PRUNED if top < 0.79 and epochs > 3 and draw.random() < 0.7 else Status.COMPLETED
    length = epochs // 2 if status is Status.PRUNED else epochs
    scores = [top * (1 - 0.4 * 0.5**epoch) + draw.gauss(0, 0.004) for epoch in range(1, length + 1)]
    best = max(scores)
    result = TrialResult(Trial(number, values), status, best, scores.index(best) + 1, 1.5, {"val_accuracy": best})
    return [*head, *fit_story(Fit(number, number), scores)[1:], result]


def _drawn_finals(draw: random.Random, classes: int) -> list[Any]:
    names = (
        tuple((string.digits + string.ascii_letters)[:classes]) if classes <= 62 else tuple(map(str, range(classes)))
    )
    counts = [[0] * classes for _ in names]
    for row in range(classes):
        for _ in range(130):
            right = draw.random() < 0.8 + 0.2 * draw.random()
            counts[row][row if right else min(classes - 1, int(draw.expovariate(0.1)))] += 1
    rows = {
        name: {
            "precision": draw.uniform(0.6, 1),
            "recall": draw.uniform(0.6, 1),
            "f1-score": draw.uniform(0.6, 1),
            "support": 130.0,
        }
        for name in names
    }
    mean = {column: fmean(row[column] for row in rows.values()) for column in ROW}
    verdict = Verdict(
        0, "final-0000-r1-f0", (Finalist(0, (0.86, 0.861), (0.85, 0.853)), Finalist(1, (0.85, 0.859), (0.846, 0.851))),
        130 * classes, 0.8512, {**rows, "macro avg": mean, "weighted avg": mean}, tuple(map(tuple, counts)), names,
        interval=(0.8431, 0.8589), comparisons=(Comparison(1, 40, 31, 0.34, 0.003, (-0.002, 0.008)),), ties=(1,), optimism=0.008,
    )  # fmt: skip
    fits = [body for repeat in (0, 1) for body in fit_story(Fit(0, 7, "final", repeat=repeat), [0.8, 0.86])]
    return [FinalistsChosen((0, 1)), *fits, records.TestOpened({"final-0000-r1-f0": "0" * 64}), verdict]
