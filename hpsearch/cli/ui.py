"""`hpsearch ui`: MLflow's own pages on the project's runs, for this machine only."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hpsearch import disk, files, paths
from hpsearch.cli.serving import HOST, can_show, free_port, hosts, server_of, wait_until_up
from hpsearch.errors import HpsearchError

FULL = "database or disk is full"  # SQLite's words, which MLflow wraps
LOG = "mlruns/ui.log"
MOST_COMPARED = 50  # runs; a longer address is refused by some browsers
EPILOG = """\b
Examples:
  hpsearch ui
  hpsearch ui --port 0 --no-browser"""


@click.command(epilog=EPILOG)
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--project", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The project's folder.")
def ui(*, port: int, no_browser: bool, project: Path | None) -> None:
    """Open MLflow's pages on the project's runs; Ctrl-C ends them."""
    home = paths.Project(project.resolve()) if project else paths.Project.around(Path.cwd())
    from hpsearch.cli.output import plain
    from hpsearch.provenance import redacted
    from hpsearch.trackers.mlflow_moved import heed
    from hpsearch.trackers.mlflow_store import database, prepare_store, project_name, resolve

    uri = resolve(home)
    if uri.startswith(("http://", "https://", "databricks")):
        click.echo(f"the runs are kept elsewhere: {redacted(uri)}")
        return
    port = free_port(port)
    for folder in (home.runs, (database(uri) or home.mlflow).parent):
        files.make(folder)  # refused in its own words, and none of MLflow's
    with _in_words(uri):
        prepare_store(home)
        if warning := heed(home, uri, project_name(home)):
            click.echo(plain(warning), err=True)
    with server_of(_command(port), home.runs / "ui.log", _environment(home, uri), home.root) as server:
        wait_until_up(server, port, LOG)
        address = f"http://{HOST}:{port}"
        with _in_words(uri):
            pages = _pages(home, uri)
        _tell(address, pages)
        if not no_browser and can_show():
            click.launch(address + pages.runs)
        server.wait()
    message = f"MLflow's server ended by itself with exit code {server.returncode}\n  what it said is in {LOG}"
    raise HpsearchError(message)


@contextmanager
def _in_words(uri: str) -> Iterator[None]:
    """Within: what MLflow raises comes out as NotHeard, with where the runs are; what the machine does, as it is."""
    import filelock

    from hpsearch.provenance import redacted
    from hpsearch.trackers.mlflow_store import database
    from hpsearch.trackers.mlflow_trouble import NotHeard, cure, in_words

    try:
        yield
    except filelock.Timeout as error:
        message = f"{error.lock_file}: another process makes MLflow's database ready\n  wait for it, then try again"
        raise NotHeard(message) from error
    except HpsearchError:
        raise
    except Exception as error:  # whatever it is, its text may hold a password
        if isinstance(error, OSError) and disk.of_the_machine(error):
            raise
        file, said = database(uri), in_words(error)
        if file and FULL in said:
            raise disk.disk_full(file) from None
        mend = f"\n  {found}" if file and (found := cure(said)) else ""
        message = f"{said}\n  the runs are kept in {file or redacted(uri)}{mend}"
        raise NotHeard(message) from None


def _command(port: int) -> Sequence[str]:
    known = sorted(hosts(port))
    return [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--allowed-hosts", ",".join(known),
        "--cors-allowed-origins", ",".join(f"http://{host}" for host in known),
    ]  # fmt: skip


def _environment(home: paths.Project, uri: str) -> Mapping[str, str]:
    """The surroundings of the server; the address goes here, not among words that `ps` shows."""
    artifacts = home.artifacts.absolute().as_uri()
    own = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifacts,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | own


@dataclass(frozen=True)
class _Pages:
    """Where to look, as ends of addresses: the runs beside the newest study, and its first trials side by side.

    On a server of databases, where only a run makes MLflow's experiment, the end may be "": all that there are.
    """

    runs: str
    trials: str = ""


def _pages(home: paths.Project, uri: str) -> _Pages:
    from hpsearch.trackers.mlflow_store import client, project_name
    from hpsearch.trackers.mlflow_view import SHARED, VIEW

    own = client(uri)
    experiments = [one.experiment_id for one in own.search_experiments()]
    newest = ["attributes.start_time DESC"]
    studies = own.search_runs(experiments, "tags.`hpsearch.kind` = 'study'", max_results=1, order_by=newest)
    if not studies:
        empty = own.get_experiment_by_name(project_name(home))
        return _Pages(f"/#/experiments/{empty.experiment_id}/runs" if empty else "")
    experiment, study = studies[0].info.experiment_id, studies[0].data.tags.get("hpsearch.study_id", "")
    wanted = f"tags.`hpsearch.study_id` = '{study}' and tags.`hpsearch.kind` = 'search' and status != 'FAILED'"
    trials = own.search_runs([experiment], wanted, max_results=MOST_COMPARED, order_by=["attributes.start_time ASC"])
    shared = f"?viewStateShareKey={SHARED}" if VIEW in own.get_experiment(experiment).tags else ""
    return _Pages(f"/#/experiments/{experiment}/runs{shared}", _side_by_side(experiment, trials))


def _side_by_side(experiment: str, trials: Sequence[Any]) -> str:
    from urllib.parse import quote

    runs = json.dumps([run.info.run_id for run in trials])
    return f"/#/compare-runs?runs={quote(runs)}&experiments={quote(json.dumps([experiment]))}" if trials else ""


def _tell(address: str, pages: _Pages) -> None:
    click.echo(f"the project's runs:  {address}{pages.runs}")
    if pages.trials:
        click.echo(f"the newest study's trials side by side:  {address}{pages.trials}")
    click.echo("Ctrl-C ends it")
