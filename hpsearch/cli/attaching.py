"""Has MLflow keep a study's report, for those commands that have told it of the study."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch import paths
    from hpsearch.experiment import Experiment

ATTACH_SECONDS = 20.0


def attach_report(
    project: "paths.Project", experiment: "Experiment", folder: "paths.Study", say: Callable[[str], None]
) -> None:
    """Hang the report on the study's run, in a process of its own as this has not imported MLflow; warn if it fails."""
    from hpsearch.errors import HpsearchError
    from hpsearch.trackers.mlflow_report import attach
    from hpsearch.worker import process

    try:
        process.call(attach, project, experiment, folder, method="spawn", patience=ATTACH_SECONDS)
    except HpsearchError as error:
        say(f"warning: the report is not attached to the run in {error}")
