"""`hpsearch serve STUDY_OR_FOLDER`: MLflow's model server on a finished model, for this machine only."""

import ipaddress
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import files, paths
from hpsearch.cli.output import complain, say
from hpsearch.cli.serving import (
    EVERYWHERE,
    HOST,
    asked_at,
    free_port,
    server_of,
    terminated_as_interrupted,
    wait_until_up,
)
from hpsearch.errors import ExperimentRefused, HpsearchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpsearch.exported import Exported

FORMAT, LOG = "mlflow", "mlruns/serve.log"
EPILOG = """\b
Examples:
  hpsearch serve emnist-mlp
  hpsearch serve emnist-mlp:7 --port 0
  hpsearch serve model/

A STUDY's model is exported into the study's best/served folder first, and is there at
once the next time; a FOLDER must have been exported with --format mlflow. It holds code:
serve only what you exported yourself. Images go in raw (0 to 255, ink as in the training
images), and probabilities come out, in the order of the classes:

\b
  curl http://127.0.0.1:5001/invocations -H "Content-Type: application/json" \\
    -d '{"inputs": [[[0, 0, …], …]]}'"""


@click.command(epilog=EPILOG)
@click.argument("model", metavar="STUDY_OR_FOLDER")
@click.option("--port", type=click.IntRange(0, 65535), default=5001, show_default=True, help="0 takes a free one.")
@click.option("--host", default=HOST, show_default=True, help="The address to listen on; nobody is asked who they are.")
def serve(*, model: str, port: int, host: str) -> None:
    """Serve a model by HTTP with MLflow's own server; Ctrl-C ends it."""
    _refuse_name(host)
    port = free_port(port, host)
    project = paths.Project.around(Path.cwd())
    with terminated_as_interrupted():
        exported = _exported(project, model)
    if not ipaddress.IPv4Address(host).is_loopback:
        complain(f"warning: whoever reaches {host} can ask this model: the server knows no password")
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(exported.formats[FORMAT]),
        "--env-manager", "local", "--host", host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    log = files.make(project.runs) / Path(LOG).name
    with server_of(command, log, _environment(), exported.folder) as server:
        wait_until_up(server, port, LOG, asked_at(host))
        _tell(exported, f"http://{asked_at(host)}:{port}")
        server.wait()
    message = f"MLflow's server ended by itself with exit code {server.returncode}\n  what it said is in {LOG}"
    raise HpsearchError(message)


def _refuse_name(host: str) -> None:
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        message = f"--host: {host!r} is no IPv4 address\n  such as {HOST}, or {EVERYWHERE} for all of this machine's"
        raise ExperimentRefused(message) from error


def _exported(project: paths.Project, word: str) -> "Exported":
    """The exported folder that has the MLflow model; that of a study is made if there is none of this very model."""
    from hpsearch.contenders import is_study
    from hpsearch.exported import read_export

    if is_study(project, word):
        return _served(project, word)
    exported = read_export(Path(word))
    if FORMAT in exported.formats:
        return exported
    message = f"{word}: the model was not exported as {FORMAT}\n  export it again: --format {FORMAT}"
    raise ExperimentRefused(message)


def _served(project: paths.Project, word: str) -> "Exported":
    from hpsearch.contender_files import data_of
    from hpsearch.contenders import find
    from hpsearch.errors import StateDamaged
    from hpsearch.exported import read_export
    from hpsearch.exporting import Subject, export
    from hpsearch.formats import chosen
    from hpsearch.protocols import unheard

    one = find(project, word)
    folder = files.make(one.folder.best) / "served"
    try:
        exported = read_export(folder)
        if exported.manifest["model"]["sha256"] == one.sha256 and FORMAT in exported.formats:
            return exported
    except (StateDamaged, KeyError, TypeError):
        pass  # it is made now
    click.echo("the model is exported first", err=True)
    return export(Subject(project, one, data_of(one, unheard), chosen(FORMAT)), folder, lambda _what: None, complain)


def _environment() -> "Mapping[str, str]":
    """The surroundings of the server, which looks for its parts on the path."""
    own = {
        "MLFLOW_DISABLE_TELEMETRY": "true", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }  # fmt: skip
    return {**os.environ, **own}


def _tell(exported: "Exported", address: str) -> None:
    (height, width), ink = exported.shape, exported.polarity
    request = f'import json; print(json.dumps({{"inputs": [[[{ink.background}] * {width}] * {height}]}}))'
    say(f"the model answers at {address}/invocations: probabilities of {', '.join(exported.class_names)}")
    say(f"it takes images of {height} × {width} whole numbers from 0 to 255, {ink.words}, such as an empty one:")
    say(f"  python3 -c '{request}' |")
    say(f"    curl {address}/invocations -H 'Content-Type: application/json' -d @-")
    say("Ctrl-C ends it")
