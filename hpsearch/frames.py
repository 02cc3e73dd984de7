"""Turns a study's facts into pandas tables: one with a row a trial, one with a row a point of a learning curve."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpsearch import words
from hpsearch.report.facts import Facts, TrialFacts

if TYPE_CHECKING:
    import pandas as pd

PARAMS, METRICS = "params.", "metrics."
RESULT = {
    "number": "Int64", "status": "str", "score": "float64", "best_epoch": "Int64", "seconds": "float64",
    "reason": "str", "failure": "str",
}  # fmt: skip


def trials(facts: Facts) -> "pd.DataFrame":
    """A row a trial, best first: `number`, `status`, `score`, `best_epoch`, `seconds`, `reason`, `failure`.

    What varies between trials stands under `params.NAME`, the metrics of the best epoch under `metrics.NAME`.
    A missing value is pandas's NA; whole numbers stay whole (Int64), also in a table of no trial.
    """
    import pandas as pd

    rows = [_row(trial) for trial in facts.trials]
    names = [*RESULT, *_names(rows, PARAMS), *_names(rows, METRICS)]
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pd.DataFrame(
        {name: pd.Series(cells, dtype=RESULT.get(name) or _kind(cells)) for name, cells in columns.items()}
    )


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


def _kind(cells: list[Any]) -> str:
    """The narrowest type that holds all of the cells; what is mixed stays as it is."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64"
    if kinds <= {int, float}:
        return "float64"
    return "str" if kinds == {str} else "object"
