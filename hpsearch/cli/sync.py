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
    from hpsearch.outbox import Outbox
    from hpsearch.trackers.via_mlflow import Made

ROUND_SECONDS = 0.5
PATIENCE_SECONDS = 10.0  # in which trouble must end, or MLflow is taken to be away


@click.command(epilog="\b\nExample:\n  hpsearch sync quickstart")
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of records as JSON.")
def sync(*, study: str, as_json: bool) -> None:
    """Send MLflow what it has not heard of STUDY, or not taken, in its order; twice is as good as once."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.errors import HpsearchError
    from hpsearch.listening import lacking
    from hpsearch.outbox import Outbox
    from hpsearch.study import existing, held
    from hpsearch.trackers.mlflow_store import SQLITE
    from hpsearch.trackers.mlflow_trouble import cure

    project = paths.Project.around(Path.cwd())
    folder = existing(project, study)
    with held(folder, doing="sync"):
        experiment = _experiment(folder)
        made = _made(project, experiment, folder)
        _warn(made.heed())
        outbox = Outbox(folder.ledger, folder.cursor, made, over=True)
        left = _send(outbox)
    if as_json:
        print_json({"study": study, "sent": outbox.sent, "waiting": left, "trouble": outbox.trouble})
    elif outbox.finished:
        say(f"MLflow has heard all of {study}: {outbox.sent} records were sent")
    _warn(lacking(study, outbox.lacks) if outbox.lacks else "")
    if not outbox.finished:
        what = f"the last {left} records" if left else "the end"
        found = cure(outbox.trouble) if made.shown.startswith(SQLITE) else ""
        mend = f"{made.shown}: {found}" if found else "try again later"
        message = f"MLflow has not heard {what} of {study}: {outbox.trouble}\n  {mend}"
        raise HpsearchError(message)


def _warn(text: str) -> None:
    from hpsearch.cli.output import plain

    if text:
        click.echo(plain(text), err=True)


def _made(project: paths.Project, experiment: "Experiment", folder: paths.Study) -> "Made":
    """What makes the tracker; raise ExperimentRefused where the study is not to be tracked."""
    from hpsearch.errors import ExperimentRefused
    from hpsearch.trackers.via_mlflow import for_study

    made = for_study(project, experiment, folder)
    if made is None:
        what = f"the study {folder.folder.name!r} is not tracked (tracking.mlflow = false)"
        message = f"{what}\n  run it again with tracking on"
        raise ExperimentRefused(message)
    return made


def _experiment(folder: paths.Study) -> "Experiment":
    """The study's experiment as its last session began with it; raise ExperimentRefused where it tells no address.

    What was secret in its address was not kept: then MLFLOW_TRACKING_URI says it, as for every other MLflow client.
    """
    from hpsearch.errors import ExperimentRefused
    from hpsearch.experiment import Experiment
    from hpsearch.provenance import without_redacted
    from hpsearch.study import last_session

    experiment, gone = without_redacted(Experiment.model_validate(last_session(folder).experiment))
    if "tracking.mlflow" in gone and not os.environ.get("MLFLOW_TRACKING_URI"):
        where = f"the address in {folder.folder.name}'s [tracking]"
        message = f"{where} held a secret, which is not kept\n  set MLFLOW_TRACKING_URI"
        raise ExperimentRefused(message)
    return experiment


def _send(outbox: "Outbox") -> int:
    """Feed the outbox until it has finished or trouble does not end; give the number of records not heard."""
    outbox.start()
    moved, waiting = time.monotonic(), outbox.waiting()
    try:
        while not outbox.finished:
            left = outbox.drain(ROUND_SECONDS)
            if left != waiting or not outbox.trouble:
                moved, waiting = time.monotonic(), left
            if sys.stderr.isatty():
                click.echo(f"\rsending records: {outbox.sent} of {outbox.sent + left}", nl=False, err=True)
            if outbox.pauses and time.monotonic() - moved > PATIENCE_SECONDS:  # not in the middle of a try
                break
        return waiting
    finally:
        outbox.close(0)
        if sys.stderr.isatty():
            click.echo(err=True)
