"""`hpsearch play STUDY`: a page to draw on, whose model answers while one draws."""

import re
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

import click

from hpsearch import paths
from hpsearch.cli.serving import (
    EVERYWHERE,
    HERE,
    HOST,
    asked_at,
    can_show,
    hosts,
    listening_on,
    terminated_as_interrupted,
)
from hpsearch.errors import ExperimentRefused, Mistake

EPILOG = """\b
Examples:
  hpsearch play mnist-mlp
  hpsearch play mnist-mlp:7 mnist-cnn
  hpsearch play exported/ --corrections mine/
  hpsearch play mnist-mlp --host 192.168.1.20    (for a phone; it prints a token)

What it kept of corrected answers is a data set: data.source = "folder".
It needs: pip install "hpsearch[play]" """


@click.command(epilog=EPILOG)
@click.argument("model", metavar="STUDY_OR_FOLDER")
@click.argument("other", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 takes a free one.")
@click.option("--host", default=HOST, show_default=True, help="This machine's address for others to open the page by.")
@click.option("--token", help="What others need to open the page; without it one is made where --host is given.")
@click.option("--corrections", type=click.Path(path_type=Path), help="Where corrected answers are kept.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def play(
    *,
    model: str,
    other: str | None,
    port: int,
    host: str,
    token: str | None,
    corrections: Path | None,
    no_browser: bool,
) -> None:
    """Draw, and see what a model reads: a STUDY's winner, its trial STUDY:12, or an exported FOLDER; OTHER beside it.

    Ctrl-C ends it.
    """
    token = _token(host, token)
    project = paths.Project.around(Path.cwd())
    with terminated_as_interrupted(), listening_on(port, host) as listening, ExitStack() as ending:
        from hpsearch.cli.output import complain
        from hpsearch.play.app import application, gradio_indoors
        from hpsearch.play.corrections import Corrections
        from hpsearch.play.reading import Readers
        from hpsearch.play.server import serve
        from hpsearch.predict.answerer import answering
        from hpsearch.predict.looking import look

        ending.enter_context(gradio_indoors())
        words = [model, other] if other else [model]
        models = tuple(ending.enter_context(answering(project, word)) for word in words)
        for warning in filter(None, (one.warning() for one in models)):
            complain(warning)
        kept = Corrections(corrections or _home(project, model))
        port = listening.getsockname()[1]
        app = application(Readers(models, look), kept, hosts(port, _names(host)), token)
        address = f"http://{asked_at(host)}:{port}/" + (f"?token={token}" if token else "")
        click.echo(f"the page to draw on:  {address}\ncorrections are kept in {kept.folder}\nCtrl-C ends it")
        if not no_browser and can_show():
            click.launch(address)
        serve(app, listening)


def _token(host: str, token: str | None) -> str:
    """What opens the page; raise ExperimentRefused for one that cannot be, or none where anybody could come."""
    if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{8,100}", token):
        raise ExperimentRefused([Mistake("--token", "it has to be 8 to 100 letters, digits, - or _")])
    if token is None and host == EVERYWHERE:
        mend = "give a --token of your own, or the one address that the page is for"
        raise ExperimentRefused([Mistake(f"--host {host}", "everybody who can reach this machine could draw", mend)])
    return token or ("" if host in HERE else secrets.token_urlsafe(16))


def _names(host: str) -> tuple[str, ...]:
    """What the page is called in a browser's address: this machine's own names only."""
    if host in HERE:
        return HERE
    if host != EVERYWHERE:
        return (host.lower(),)
    import psutil

    own = (one.address for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET)
    return (*own, "localhost", socket.gethostname().lower())


def _home(project: paths.Project, word: str) -> Path:
    """Where corrections to a model are kept: with its study, or in the working folder for an exported one."""
    name = word.partition(":")[0]
    return project.study(name).corrections if name in project.studies() else Path("corrections")
