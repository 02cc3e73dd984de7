"""The report of a study among its files in MLflow."""

from contextlib import closing

import pytest
from kept_studies import keep
from stories import EXPERIMENT, began, no_model, told, trial_story

from hpsearch.paths import Project
from hpsearch.records import SessionEnded
from hpsearch.trackers.mlflow_store import client, resolve
from hpsearch.trackers.via_mlflow import Made

BODIES = [*began(), *trial_story(0, [0.5, 0.8]), SessionEnded(finished=True, reason="done")]


@pytest.fixture
def project(tmp_path, empty_store):
    """A project with one study, of which MLflow has heard nothing."""
    project = Project(tmp_path)
    keep(tmp_path, BODIES)
    project.mlflow.write_bytes(empty_store)
    return project


def hear(project, bodies=()):
    """Tell MLflow of some records, and that there are no more to come."""
    with closing(Made(project, EXPERIMENT, project.study(EXPERIMENT.name))(no_model)) as tracker:
        for news in told(bodies):
            tracker.hear(news)


def reports(project):
    return [file.read_text() for file in project.artifacts.rglob("report.html")]


def test_the_report_hangs_on_the_studys_run_and_a_later_one_takes_its_place(project):
    folder = project.study(EXPERIMENT.name)
    hear(project, BODIES)

    for text in ("first", "second"):
        folder.report.write_text(text)
        hear(project)

    own = client(resolve(project))
    (run,) = [run for run in all_runs(own) if run.data.tags["hpsearch.key"] == "study"]
    assert [one.path for one in own.list_artifacts(run.info.run_id)] == ["report.html"]
    assert (project.artifacts / run.info.run_id / "artifacts" / "report.html").read_text() == "second"


def all_runs(own):
    return own.search_runs([one.experiment_id for one in own.search_experiments()])


def test_a_report_of_before_is_not_given_to_a_study_that_runs_again(project):
    project.study(EXPERIMENT.name).report.write_text("of before")

    hear(project, BODIES[:-1])
    while_it_ran = reports(project)
    hear(project, BODIES)

    assert (while_it_ran, reports(project)) == ([], ["of before"])


def test_where_a_person_deleted_the_studys_run_nothing_is_kept_and_nothing_complained_of(project):
    hear(project, BODIES)
    own = client(resolve(project))
    (run,) = [run for run in all_runs(own) if run.data.tags["hpsearch.key"] == "study"]
    own.delete_run(run.info.run_id)
    project.study(EXPERIMENT.name).report.write_text("report")

    hear(project)

    assert reports(project) == []
