"""The report of a study among its files in MLflow."""

from contextlib import closing

import pytest
from kept_studies import keep
from stories import EXPERIMENT, began, no_model, told, trial_story

from hpsearch.files import make
from hpsearch.ledger import Ledger
from hpsearch.paths import Project
from hpsearch.records import SessionEnded
from hpsearch.trackers.mlflow_report import attach
from hpsearch.trackers.mlflow_store import client, resolve
from hpsearch.trackers.mlflow_trouble import NotHeard
from hpsearch.trackers.via_mlflow import Made


@pytest.fixture
def project(tmp_path, empty_store):
    """A project with one study, which MLflow has heard."""
    project = Project(tmp_path)
    bodies = [*began(), *trial_story(0, [0.5, 0.8]), SessionEnded(finished=True, reason="done")]
    folder = keep(tmp_path, bodies)
    project.mlflow.write_bytes(empty_store)
    with closing(Made(project, EXPERIMENT, folder)(no_model)) as tracker:
        for news in told(bodies):
            tracker.hear(news)
    return project


def test_the_report_hangs_on_the_studys_run_and_a_later_one_takes_its_place(project):
    folder = project.study(EXPERIMENT.name)

    for text in ("first", "second"):
        folder.report.write_text(text)
        attach(project, EXPERIMENT, folder)

    own = client(resolve(project))
    (run,) = [run for run in all_runs(own) if run.data.tags["hpsearch.key"] == "study"]
    assert [one.path for one in own.list_artifacts(run.info.run_id)] == ["report.html"]
    assert (project.artifacts / run.info.run_id / "artifacts" / "report.html").read_text() == "second"


def all_runs(own):
    return own.search_runs([one.experiment_id for one in own.search_experiments()])


def test_a_study_without_a_run_is_told_of(project):
    other = EXPERIMENT.renamed("other")
    folder = project.study("other")
    make(folder.folder)
    Ledger(folder.ledger).close()

    with pytest.raises(NotHeard, match="it has no run of other"):
        attach(project, other, folder)


def test_where_a_person_deleted_the_studys_run_nothing_is_kept_and_nothing_complained_of(project):
    folder = project.study(EXPERIMENT.name)
    folder.report.write_text("report")
    own = client(resolve(project))
    (run,) = [run for run in all_runs(own) if run.data.tags["hpsearch.key"] == "study"]
    own.delete_run(run.info.run_id)

    attach(project, EXPERIMENT, folder)

    assert own.list_artifacts(run.info.run_id) == []
