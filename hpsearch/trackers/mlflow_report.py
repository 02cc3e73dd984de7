"""Attaches a study's report to its run in MLflow."""

from hpsearch import paths
from hpsearch.experiment import Experiment
from hpsearch.trackers.mlflow_store import client, project_name, resolve
from hpsearch.trackers.mlflow_trouble import NotHeard, told_apart
from hpsearch.trackers.via_mlflow import study_id


def attach(project: paths.Project, experiment: Experiment, folder: paths.Study) -> None:
    """Keep the report as an artifact of the study's run, in place of an earlier one; raise NotHeard when it cannot be.

    Where a person deleted the run, that is their right, and nothing is kept.
    It imports MLflow: call it in a fresh process where that should not stay.
    """
    from mlflow.entities import LifecycleStage, ViewType

    with told_apart():
        own = client(resolve(project, experiment.tracking.mlflow or None))
        found = own.get_experiment_by_name(experiment.tracking.experiment or project_name(project))
        wanted = f"tags.`hpsearch.study_id` = '{study_id(experiment, folder)}' AND "
        wanted += "tags.`hpsearch.key` = 'study'"
        runs = own.search_runs([found.experiment_id], wanted, ViewType.ALL) if found else []
        if not runs:
            name = folder.folder.name
            message = f"it has no run of {name}; send it with: hpsearch sync {name}"
            raise NotHeard(message)
        for run in runs:
            if run.info.lifecycle_stage == LifecycleStage.ACTIVE:
                own.log_artifact(run.info.run_id, str(folder.report))
