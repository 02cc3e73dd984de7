"""`hpsearch dashboard STUDY`: Optuna's dashboard on a study, for this machine only."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import paths
from hpsearch.cli.serving import HOST, can_show, hosts, listening_on, terminated_as_interrupted

if TYPE_CHECKING:
    from socket import socket
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

EPILOG = """\b
Examples:
  hpsearch dashboard quickstart
  hpsearch dashboard quickstart --port 0 --no-browser

It shows the study as it is when the command begins, from a copy in memory: what is
changed on its pages changes nothing here. It needs: pip install "hpsearch[dashboard]" """


@click.command(epilog=EPILOG)
@click.argument("study")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def dashboard(*, study: str, port: int, no_browser: bool) -> None:
    """Open Optuna's dashboard on STUDY; Ctrl-C ends it."""
    import optuna

    from hpsearch.as_optuna import optuna_study
    from hpsearch.report.facts import gather
    from hpsearch.study import read

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    wsgi = _dashboard()
    with terminated_as_interrupted(), listening_on(port) as listening:
        facts = gather(read(paths.Project.around(Path.cwd()), study), study)
        storage = optuna_study(facts)._storage  # noqa: SLF001  # no public way
        _serve(guarded(wsgi(storage), listening.getsockname()[1]), listening, browser=not no_browser and can_show())


def _dashboard() -> Callable[[Any], "WSGIApplication"]:
    from hpsearch.errors import HpsearchError

    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        message = 'Optuna\'s dashboard is not installed\n  pip install "hpsearch[dashboard]"'
        raise HpsearchError(message) from error
    made: Callable[[Any], WSGIApplication] = wsgi
    return made


def guarded(app: "WSGIApplication", port: int) -> "WSGIApplication":
    """The same pages for requests to this machine by its own names only, and for changes by these pages only.

    Else a page from elsewhere could read them, by a name that it makes point here.
    """
    known = hosts(port)
    origins = {None, *(f"http://{host}" for host in known)}

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environ.get("HTTP_HOST") not in known or environ.get("HTTP_ORIGIN") not in origins:
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"this dashboard answers to its own pages only\n"]
        return app(environ, start)

    return answer


def _serve(app: "WSGIApplication", listening: "socket", *, browser: bool) -> None:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

        def server_bind(self) -> None:
            """Take the socket that listens already in place of one to be bound."""
            self.socket.close()
            self.socket = listening
            self.server_name, self.server_port = listening.getsockname()
            self.setup_environ()

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_words: Any) -> None:
            """Say nothing of each request."""

    with Server(listening.getsockname(), Quiet) as server:
        server.set_app(app)
        address = f"http://{HOST}:{server.server_port}/"
        click.echo(f"the study in Optuna's dashboard:  {address}\nCtrl-C ends it")
        if browser:
            click.launch(address)
        server.serve_forever()
