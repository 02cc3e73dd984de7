"""What MLflow's pages show of a study's runs before anybody has chosen columns: tags of MLflow's experiment."""

import json
from collections.abc import Sequence

SHARED = "hpsearch"  # the name of our view, in the address of the page: …/runs?viewStateShareKey=hpsearch
VIEW = f"mlflow.sharedViewState.{SHARED}"
PRIMARY = "mlflow.experiment.primaryMetric.name"  # which the page of charts opens on
GREATER = "mlflow.experiment.primaryMetric.greaterIsBetter"
KIND = "mlflow.experimentKind"
MOST_PARAMS = 15  # a tag has 5,000 signs
LONGEST_NAME = 100  # signs; of a longer one nobody reads the column

FIGURES = ("score", "expected_accuracy", "model_accuracy", "best_epoch", "seconds", "n_parameters")


def view(params: Sequence[str], *, greater_is_better: bool) -> dict[str, str]:
    """The tags by which MLflow's pages show state, figures and these params, and take the score for what matters.

    The view is what the pages' own "share" keeps, as JSON (MLflow 3.17, experiment page); columns are named as there.
    """
    shown = [name for name in params if len(name) <= LONGEST_NAME][:MOST_PARAMS]
    columns = ["tags.`hpsearch.state`", *(f"metrics.`{name}`" for name in FIGURES[:2])]
    columns += [f"params.`{name}`" for name in shown] + [f"metrics.`{name}`" for name in FIGURES[2:]]
    return {
        KIND: "custom_model_development",
        PRIMARY: "score",
        GREATER: json.dumps(greater_is_better),
        VIEW: json.dumps({"selectedColumns": columns, "columnOrder": columns, "hideEmptyCharts": True}),
    }
