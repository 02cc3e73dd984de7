"""Turns a study's facts into pandas tables: one with a row a trial, one with a row a point of a learning curve."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpsearch import words
from hpsearch.report.facts import Facts, TrialFacts

if TYPE_CHECKING:
    import pandas as pd

PARAMS, METRICS = "params.", "metrics."
RESULT = ("number", "status", "score", "best_epoch", "seconds", "reason", "failure")


def trials(facts: Facts) -> "pd.DataFrame":
    """A row a trial, best first: `number`, `status`, `score`, `best_epoch`, `seconds`, `reason`, `failure`.

    What varies between trials stands under `params.NAME`, the metrics of the best epoch under `metrics.NAME`.
    A missing value is pandas's NA; whole numbers stay whole (Int64).
    """
    import pandas as pd

    rows = [_row(trial) for trial in facts.trials]
    names = [*RESULT, *_names(rows, PARAMS), *_names(rows, METRICS)]
    return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in names})


def curves(facts: Facts) -> "pd.DataFrame":
    """A row a trial, metric and epoch: `trial`, `metric`, `epoch` (from 1), `value`; for folds see `TrialFacts`."""
    import pandas as pd

    ordered = sorted(facts.trials, key=lambda trial: trial.number)
    points = [
        (trial.number, metric, epoch, value)
        for trial in ordered
        for metric, curve in trial.curves.items()
        for epoch, value in curve
    ]
    table = pd.DataFrame(points, columns=["trial", "metric", "epoch", "value"])
    return table.astype({"trial": "int64", "metric": "str", "epoch": "int64", "value": "float64"})


def _row(trial: TrialFacts) -> dict[str, Any]:
    failure = words.failure(trial.failure) if trial.failure else ""
    own = (
        trial.number, trial.status, trial.score, trial.best_epoch, float(trial.seconds), trial.reason, failure,
    )  # fmt: skip
    values = {f"{PARAMS}{name}": value for name, value in trial.values.items()}  # noqa: PD011  # no table
    metrics = {f"{METRICS}{name}": value for name, value in trial.metrics.items()}
    return {**dict(zip(RESULT, own, strict=True)), **values, **metrics}


def _names(rows: Sequence[dict[str, Any]], prefix: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith(prefix)))


def _column(cells: list[Any]) -> "pd.Series[Any]":
    """The cells in the narrowest type that holds all of them; what is mixed stays as it is."""
    import pandas as pd

    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean")
    if kinds == {int}:
        return pd.Series(cells, dtype="Int64")
    if kinds <= {int, float}:
        return pd.Series(cells, dtype="float64")
    return pd.Series(cells, dtype="str" if kinds == {str} else "object")
