"""`hpsearch run FILE`: search, finals and report for one experiment."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths
from hpsearch.errors import Interrupted, StudyChanged

if TYPE_CHECKING:
    from hpsearch.experiment import Experiment
    from hpsearch.protocols import Made, Tracker
    from hpsearch.report.facts import Facts

EPILOG = """\b
Examples:
  hpsearch run experiments/quickstart.toml
  hpsearch run experiments/mnist_mlp.toml --set search.trials=40 --set workers.count=4
  hpsearch run experiments/quickstart.toml --name second-try
  hpsearch run experiments/quickstart.toml --fresh

The same command again goes on where the last run stopped.

--fresh keeps the old study as NAME.before-1, which the other commands know by that name; with
its folder renamed to NAME, it can go on."""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key, such as search.trials=40.")
@click.option("--name", help="Give the study another name.")
@click.option("--fresh", is_flag=True, help="Begin anew; the old study is set aside, not deleted.")
@click.option("--reopen", is_flag=True, help="Allow more trials, or other finals, after the test split was opened.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--plain", is_flag=True, help="Plain lines in place of the live board, and no question.")
def run(
    *, file: Path, sets: tuple[str, ...], name: str | None, fresh: bool, reopen: bool, as_json: bool, plain: bool
) -> None:
    """Search the experiment in FILE, retrain the best, and test the winner once."""
    from hpsearch.loading import load
    from hpsearch.worker import starting

    project = paths.Project.around(file.absolute().parent)
    experiment = load(file, project, [*sets, *([f"name={json.dumps(name)}"] if name is not None else [])])
    if experiment.workers.kind == "local":  # before half a second of other imports: TensorFlow's takes longest
        starting.warm_up()
    place = _Place(project, plain=plain or as_json)
    try:
        experiment = _search(experiment, place, reopen=reopen, fresh=fresh)
    except StudyChanged as changed:
        asks = sys.stdin.isatty() and sys.stdout.isatty() and not (plain or as_json)
        if reopen or not asks:
            raise
        experiment = _under_another_name(experiment, place, changed)
    _conclude(experiment, place, as_json=as_json)


def _search(experiment: "Experiment", place: "_Place", *, reopen: bool, fresh: bool = False) -> "Experiment":
    from hpsearch.session import Session, Surroundings

    around = Surroundings(place.project, place.progress, place.say, place.watch, place.mlflow, place.report)
    try:
        with _set_aside(experiment.name, place) if fresh else nullcontext():
            Session(experiment, around, reopen=reopen).run()
    except Interrupted as interrupted:
        message = f"{interrupted}:\n  {_again()}"
        raise Interrupted(message, interrupted.exit_code) from None
    return experiment


def _again() -> str:
    """The command that goes on, as it is typed; addresses in it are without what is secret."""
    from hpsearch.provenance import redacted

    given = click.get_current_context().params
    words = [str(given["file"]), *(word for setting in given["sets"] for word in ("--set", redacted(setting)))]
    words += ["--name", given["name"]] if given["name"] else []
    words += [f"--{flag}" for flag in ("fresh", "reopen", "plain") if given[flag]] + ["--json"] * given["as_json"]
    return shlex.join(["hpsearch", "run", *words])


@contextmanager
def _set_aside(name: str, place: "_Place") -> Iterator[None]:
    """Within: the old study is set aside, and comes back where no new one begins; an empty one is gone."""
    from hpsearch.study import OTHER_NAME, held, is_empty, last_aside, set_aside

    folder, aside = place.project.study(name), None
    try:
        if folder.begun:
            with held(folder, OTHER_NAME):
                if is_empty(folder):  # left by a killed --fresh, and what that set aside is the old study
                    aside = last_aside(folder)
                    shutil.rmtree(folder.folder, ignore_errors=True)  # as Session does
                else:
                    aside = set_aside(folder)
                    place.say(f"the old study is kept in {aside}")
        yield
    finally:
        if folder.begun:
            click.get_current_context().params["fresh"] = False  # the command that goes on is without it
        elif aside:
            try:
                aside.rename(folder.folder)
                place.say("no new study was begun, so the old one is back in its place")
            except OSError as error:  # the name may be taken
                place.say(f"no new study was begun; the old one stays in {aside}: {error.strerror}")


def _under_another_name(experiment: "Experiment", place: "_Place", changed: StudyChanged) -> "Experiment":
    name = place.project.free_name(experiment.name)
    place.say(str(changed))
    if not click.confirm(f"run it as {name!r}?", default=False):
        raise changed
    click.get_current_context().params["name"] = name
    return _search(experiment.renamed(name), place, reopen=False)


def _conclude(experiment: "Experiment", place: "_Place", *, as_json: bool) -> None:
    from hpsearch.cli.output import print_json
    from hpsearch.report.terminal import conclude

    folder = place.project.study(experiment.name)
    if as_json:
        print_json(place.facts)
    else:
        conclude(place.facts, place.console)
        place.say(f"report: {folder.report}\nmodel:  {folder.best / paths.MODEL}")
        if experiment.tracking.mlflow is not False:
            place.say(f"compare in MLflow: {_pages(place.project, experiment.tracking.mlflow)}")
        if not _is_around(place.project):
            place.say(f"the other commands are given in its project: cd {shlex.quote(str(place.project.root))}")


def _is_around(project: paths.Project) -> bool:
    """Whether this is the project of the folder that commands are given in, from where all others look for one."""
    with suppress(OSError):
        return project.root.samefile(paths.Project.around(Path.cwd()).root)
    return False


def _pages(project: paths.Project, tracking: str | None) -> str:
    """Where a study's runs are shown: by the command, which reads no experiment, or at the address in [tracking]."""
    from hpsearch.provenance import redacted
    from hpsearch.trackers.mlflow_store import resolve

    address = resolve(project, tracking)
    return "hpsearch ui" if address == resolve(project) else redacted(address)


class _Place:
    """The terminal, and the parts that are chosen by what it is; `facts` are there once a study was reported."""

    facts: "Facts"

    def __init__(self, project: paths.Project, *, plain: bool) -> None:
        from rich.console import Console

        self.project = project
        self.console: Console = Console(stderr=plain and not sys.stdout.isatty())
        self._lively = sys.stdout.isatty() and self.console.is_interactive and not plain

    def say(self, text: str) -> None:
        from hpsearch.cli.output import plain

        click.echo(plain(text), err=True)

    def progress(self, what: str, done: int, total: int | None) -> None:
        if self._lively and total and sys.stderr.isatty():
            click.echo(f"\r{what}: {100 * done // total} %{'' if done < total else chr(10)}", nl=False, err=True)

    def watch(self, experiment: "Experiment", workers: int, before: int) -> "Tracker":
        if self._lively:
            from hpsearch.trackers.board import Board

            return Board(experiment, workers, self.console)
        from hpsearch.trackers.plain_lines import PlainLines

        return PlainLines(experiment.objective, sys.stderr, before=before)

    def mlflow(self, experiment: "Experiment") -> "Made | None":
        from hpsearch.trackers.via_mlflow import for_study

        made = for_study(self.project, experiment, self.project.study(experiment.name))
        if made and (warning := made.heed()):
            self.say(warning)
        return made

    def report(self, experiment: "Experiment") -> None:
        from hpsearch.report.html import write_report
        from hpsearch.report.reading import facts_of

        folder, self.facts = self.project.study(experiment.name), facts_of(self.project, experiment.name)
        write_report(self.facts, folder.report, folder.predictions)
