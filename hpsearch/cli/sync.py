"""`hpsearch sync STUDY`: sends MLflow what it has not heard of a study, without searching on."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.experiment import Experiment
    from hpsearch.follower import Made
    from hpsearch.outbox import Outbox

ROUND_SECONDS = 0.5
PATIENCE_SECONDS = 10.0  # in which trouble must end, or MLflow is taken to be away


@click.command(epilog="\b\nExample:\n  hpsearch sync quickstart")
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of records as JSON.")
def sync(*, study: str, as_json: bool) -> None:
    """Send MLflow the records of STUDY that it has not heard, in their order; twice is as good as once."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.errors import HpsearchError
    from hpsearch.outbox import Outbox
    from hpsearch.study import existing, held

    project = paths.Project.around(Path.cwd())
    folder = existing(project, study)
    with held(folder):
        outbox = Outbox(folder.ledger, folder.cursor, _made(project, study))
        before = outbox.waiting()
        left = _send(outbox, before) if before else 0
    if as_json:
        print_json({"study": study, "sent": before - left, "waiting": left, "trouble": outbox.trouble})
    elif not left:
        say(f"MLflow has heard all of {study}: {before} records were sent")
    if left:
        message = f"MLflow has not heard the last {left} records of {study}: {outbox.trouble}\n  try again later"
        raise HpsearchError(message)


def _made(project: paths.Project, study: str) -> "Made":
    """What makes the tracker; raise ExperimentRefused where the study's last session tells no address."""
    from hpsearch.errors import ExperimentRefused
    from hpsearch.trackers.via_mlflow import for_study

    made = for_study(project, _experiment(project, study))
    if made is None:
        message = f"the study {study!r} is not tracked (tracking.mlflow = false)\n  run it again with tracking on"
        raise ExperimentRefused(message)
    return made


def _experiment(project: paths.Project, study: str) -> "Experiment":
    """The study's experiment as its last session began with it.

    What was secret in its address was not kept: then MLFLOW_TRACKING_URI says it, as for every other MLflow client.
    """
    from hpsearch.errors import ExperimentRefused
    from hpsearch.experiment import Experiment
    from hpsearch.records import SessionBegan
    from hpsearch.study import read

    sessions = [news.body for news in read(project, study) if isinstance(news.body, SessionBegan)]
    if not sessions:
        message = f"the study {study!r} has not begun yet\n  run its experiment file again"
        raise ExperimentRefused(message)
    experiment = Experiment.model_validate(sessions[-1].experiment)
    if "***" not in str(experiment.tracking.mlflow):
        return experiment
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        message = f"the address in {study}'s [tracking] held a secret, which is not kept\n  set MLFLOW_TRACKING_URI"
        raise ExperimentRefused(message)
    return experiment.model_copy(update={"tracking": experiment.tracking.model_copy(update={"mlflow": None})})


def _send(outbox: "Outbox", waiting: int) -> int:
    """Feed the outbox until all is heard or trouble does not end; give the number of records not heard."""
    outbox.start()
    total, moved, shown = waiting, time.monotonic(), sys.stderr.isatty()
    try:
        while left := outbox.drain(ROUND_SECONDS):
            moved = time.monotonic() if left < waiting or not outbox.trouble else moved
            waiting = left
            if shown:
                click.echo(f"\rsending records: {total - left} of {total}", nl=False, err=True)
            if time.monotonic() - moved > PATIENCE_SECONDS:
                return left
        return 0
    finally:
        outbox.close(0)
        if shown:
            click.echo(err=True)
