"""Keeps what the finals found in MLflow: figures, tables and pictures at the winner's run, a summary at the study's."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from hpsearch import tie_words, verdict_words, words
from hpsearch.class_report import AVERAGES, COLUMNS, report_rows, report_text
from hpsearch.experiment import Experiment
from hpsearch.records import Verdict
from hpsearch.trackers.curve_picture import draw_curves
from hpsearch.trackers.mlflow_runs import Run
from hpsearch.trackers.pictures import draw_confusion


def headline(verdict: Verdict) -> dict[str, float]:
    """The exported model's accuracy on the test split, and what is expected of its configuration.

    The interval has the name of that of which it is one: the narrow one of a single model knows nothing of other seeds.
    """
    found = {"model_accuracy": verdict.model_accuracy, "expected_accuracy": verdict.expected_accuracy}
    if verdict.interval:
        of = "one_model" if verdict.interval_of == "model" else "expected"
        found[f"{of}_accuracy_low"], found[f"{of}_accuracy_high"] = verdict.interval
    return found


def figures(verdict: Verdict) -> dict[str, float]:
    """The winner's figures on the test split, named as metrics: model_accuracy, model_f1_macro and so on."""
    found = headline(verdict)
    for average in AVERAGES:
        for column in COLUMNS[:3]:
            if average in verdict.report:
                name = f"model_{column.removesuffix('-score')}_{average.removesuffix(' avg')}"
                found[name] = verdict.report[average][column]
    return found


def keep_winner(runs: Any, run: Run, verdict: Verdict, curves: Mapping[str, list[tuple[int, float]]]) -> None:
    """Keep report, table, confusion matrix, class names and pictures as artifacts of the winner's run."""
    names = list(verdict.class_names)
    table = {"columns": ["class", *COLUMNS], "data": report_rows(verdict)}
    runs.keep(run, "log_text", report_text(verdict), "test/classification_report.txt")
    runs.keep(run, "log_dict", table, "test/classification_report.json")  # the UI shows this shape as a table
    runs.keep(run, "log_dict", {"classes": names, "counts": verdict.confusion}, "test/confusion_matrix.json")
    runs.keep(run, "log_dict", {"class_names": names}, "class_names.json")
    with tempfile.TemporaryDirectory() as folder:
        matrix, learning = Path(folder, "confusion_matrix.png"), Path(folder, "learning_curves.png")
        draw_confusion(verdict.confusion, names, matrix)
        runs.keep(run, "log_artifact", str(matrix), "test")
        if curves:
            draw_curves(curves, learning)
            runs.keep(run, "log_artifact", str(learning))


def table_tag() -> dict[str, str]:
    """The tag by which MLflow's UI finds the table among the artifacts."""
    listed = [{"path": "test/classification_report.json", "type": "table"}]
    return {"mlflow.loggedArtifacts": json.dumps(listed)}


def note(
    experiment: Experiment,
    verdict: Verdict,
    values: Mapping[str, str],
    counts: Mapping[str, int],
    best: str,
    pruning: str = "",
) -> str:
    """The study's description in Markdown; `pruning` says in words what was spared, if a pruner was at work."""
    told = (verdict_words.failures(verdict), tie_words.tie(verdict, experiment.objective.metric))
    finalists = [
        f"| {finalist.trial}{' ★' if finalist.trial == verdict.winner else ''} | {_mean(finalist.scores)} "
        f"| {_mean(finalist.test_accuracies)} |"
        for finalist in verdict.finalists
    ]
    ended = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return "\n".join(
        [
            f"**{experiment.name}**: trial {verdict.winner} won.",
            f"Expected accuracy: **{words.score(verdict.expected_accuracy)}**{verdict_words.surety(verdict)}.",
            f"{verdict_words.exported(verdict).capitalize()}.",
            *(f"\n{said}" for said in (*told, verdict_words.luck(verdict)) if said),
            "",
            f"Trials: {ended}. Best score in the search: {best}.",
            *(["", f"Pruning: {pruning}."] if pruning else []),
            "",
            "| finalist | validation, mean over seeds | expected accuracy |",
            "|---|---|---|",
            *finalists,
            "",
            "Values of the winner:",
            "",
            *(
                f"- `{words.clean(name).replace('`', '')}` = `{value.replace('`', '')}`"
                for name, value in values.items()
            ),
        ]
    )


def _mean(scores: tuple[float, ...]) -> str:
    return words.score(fmean(scores) if scores else None)
