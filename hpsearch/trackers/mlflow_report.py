"""Attaches a study's report to its run in MLflow."""

from pathlib import Path

from hpsearch import paths
from hpsearch.experiment import Experiment
from hpsearch.trackers.mlflow_store import client, project_name, resolve
from hpsearch.trackers.mlflow_trouble import NotHeard, told_apart
from hpsearch.trackers.via_mlflow import study_id


def attach(project: paths.Project, experiment: Experiment, report: Path) -> None:
    """Keep the file as an artifact of the study's run, in place of an earlier one; raise NotHeard when it cannot be.

    It imports MLflow: call it in a fresh process where that should not stay.
    """
    with told_apart():
        own = client(resolve(project, experiment.tracking.mlflow or None))
        found = own.get_experiment_by_name(experiment.tracking.experiment or project_name(project))
        wanted = f"tags.`hpsearch.study_id` = '{study_id(project.study(experiment.name))}' AND "
        runs = own.search_runs([found.experiment_id], wanted + "tags.`hpsearch.key` = 'study'") if found else []
        if not runs:
            message = f"it has no run of {experiment.name}; send it with: hpsearch sync {experiment.name}"
            raise NotHeard(message)
        own.log_artifact(runs[0].info.run_id, str(report))
