"""`hpsearch data`: which data sets there are, fetching them, and looking whether they are whole."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch.cli.output import complain, print_json, say, table

if TYPE_CHECKING:
    from hpsearch.datasets.content import About
    from hpsearch.protocols import Prepared, Progress

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def of_a_source(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options with which a data set is made; they are the keys of [data] in an experiment."""
    for option in (
        click.option("--file", type=click.Path(path_type=Path), help="For npz and csv: the archive or table."),
        click.option("--folder", type=click.Path(path_type=Path), help="For idx and folder: the folder of the files."),
        click.option("--train", help="What to train on: the beginning of names (idx), two arrays (npz), a subfolder."),
        click.option("--test", help="What to test on: the same, or a table (csv); or the share to hold out."),
        click.option(
            "--size",
            type=int,
            nargs=2,
            metavar="HEIGHT WIDTH",
            help="Scale pictures to it; cut rows by it as they lie.",
        ),
        click.option("--transposed", is_flag=True, help="The images lie on their side, as EMNIST's do."),
        click.option("--invert", is_flag=True, help="Make bright ink on dark of dark ink on bright."),
        click.option("--mirror", help="Fetch from this address or folder in place of the well-known ones."),
        click.option("--allow-empty-class", is_flag=True, help="Accept classes without rows."),
    ):
        command = option(command)
    return command


@click.group(epilog="\b\nExamples:\n  hpsearch data list\n  hpsearch data check mnist-5k")
def data() -> None:
    """List, fetch and verify data sets."""


@data.command("list", epilog="\b\nExample:\n  hpsearch data list")
@as_json
def list_(*, as_json: bool) -> None:
    """List every data set, and whether it is prepared."""
    from hpsearch import plugins
    from hpsearch.datasets.prepared import all_prepared
    from hpsearch.errors import ExperimentRefused

    rows = []
    for name in plugins.known("datasets"):
        try:
            about: About | None = getattr(plugins.part("datasets", name), "about", None)
        except ExperimentRefused as refused:
            complain(f"warning: {refused}")
            continue
        rows.append({"name": name, **_facts(about), "prepared": [str(one.folder) for one in all_prepared(name)]})
    if as_json:
        print_json(rows)
    else:
        table(("name", "train", "test", "classes", "prepared", "licence", "from"), map(_cells, rows))


@data.command(epilog="\b\nExample:\n  hpsearch data get mnist --mirror /media/stick/mnist")
@click.argument("name")
@of_a_source
@as_json
def get(*, name: str, as_json: bool, **options: Any) -> None:
    """Fetch, verify and prepare the data set NAME."""
    from hpsearch.datasets.prepared import prepare
    from hpsearch.protocols import Selective

    source = _made(name, _given(options))
    with _shown_progress() as progress:
        prepared = prepare(name, source, progress)
    if isinstance(source, Selective) and (warning := source.left_out()):
        complain(warning)
    said = _told(prepared)
    if as_json:
        print_json(said)
    else:
        table(("what", "is"), [(key, _words(value)) for key, value in said.items()])


@data.command(epilog="\b\nExample:\n  hpsearch data check mnist-5k", short_help="Read a prepared data set again.")
@click.argument("name")
@of_a_source
@as_json
def check(*, name: str, as_json: bool, **options: Any) -> None:
    """Read every byte of the prepared data set NAME again and count the rows of each class."""
    from hpsearch.datasets.prepared import verify

    found = []
    for prepared in _prepared(name, _given(options)):
        verify(prepared)
        found.append({**_told(prepared), "rows_per_class": _counts(prepared)})
    if as_json:
        print_json(found)
        return
    for one in found:
        say(f"{one['name']}: whole, sha256 {one['digest']}\n{one['folder']}")
        table(("class", "train", "test"), [(label, *rows) for label, rows in one["rows_per_class"].items()])


@data.command(
    epilog="\b\nExample:\n  hpsearch data show mnist-5k --out digits.png", short_help="Draw ten images of each class."
)
@click.argument("name")
@of_a_source
@click.option("--out", type=click.Path(path_type=Path), help="The PNG file to write (NAME.png unless given).")
def show(*, name: str, out: Path | None, **options: Any) -> None:
    """Draw ten training images of each class of the prepared data set NAME, to see whether they stand upright."""
    from hpsearch.datasets import contact_sheet
    from hpsearch.drawings import is_drawing
    from hpsearch.errors import ExperimentRefused, Mistake

    file = out or Path(f"{name}.png")
    if not out and file.is_file() and not is_drawing(file):
        message = f"{file}: this file is there already, and is none of ours\n  name another: --out FILE"
        raise ExperimentRefused(message)
    several = _prepared(name, _given(options))
    if len(several) > 1:
        words = ", ".join(_option(key) for key in _required(name)) or "its options"
        here = click.get_current_context().command_path
        raise ExperimentRefused([Mistake(here, f"{len(several)} sets {name} are prepared", f"say which with {words}")])
    shown = contact_sheet.draw(several[0], file)
    classes = len(several[0].class_names)
    say(
        f"{file}: {contact_sheet.EACH} of each class" + (f", the first {shown} of {classes}" if shown < classes else "")
    )


def _prepared(name: str, given: dict[str, Any]) -> "list[Prepared]":
    """Those kept under the name; with options, the one that they make."""
    from hpsearch.datasets.prepared import all_prepared, prepare
    from hpsearch.errors import DataRefused

    needs = _required(name)
    if given:
        source = _made(name, given)
        with _shown_progress() as progress:
            return [prepare(name, source, progress)]
    if not (kept := all_prepared(name)):
        words = "".join(f" {_option(key)} {key.upper()}" for key in needs)
        message = f"{name} is not prepared yet\n  hpsearch data get {name}{words}"
        raise DataRefused(message)
    return kept


def _made(name: str, given: dict[str, Any]) -> Any:
    """The data set of that name; raise ExperimentRefused in the words of this command when it cannot be made so."""
    from hpsearch import plugins
    from hpsearch.errors import ExperimentRefused, Mistake
    from hpsearch.nearest import hint

    here = click.get_current_context().command_path
    takes = [_option(key) for key in plugins.options(plugins.part("datasets", name, here))]
    strange = [_option(key) for key in given if _option(key) not in takes]
    mistakes = [Mistake(here, f"{name} takes no {word}", hint(word, takes)) for word in strange]
    mistakes += [Mistake(here, f"{name} needs {_option(key)}") for key in _required(name) if key not in given]
    if mistakes:
        raise ExperimentRefused(mistakes)
    return plugins.make("datasets", name, given, here)


def _required(name: str) -> list[str]:
    from hpsearch import plugins

    return plugins.required(plugins.options(plugins.part("datasets", name, click.get_current_context().command_path)))


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in options.items() if value not in (None, False)}
    if "test" in given:
        try:
            given["test"] = float(given["test"])
        except ValueError:
            return given  # the beginning of a name
    return given


def _facts(about: "About | None") -> dict[str, Any]:
    from dataclasses import asdict, fields

    from hpsearch.datasets.content import About

    return asdict(about) if about else {field.name: None for field in fields(About)}


def _cells(row: dict[str, Any]) -> list[object]:
    counts = [f"{row[key]:,}" if row[key] else "-" for key in ("train_rows", "test_rows", "classes")]
    return [row["name"], *counts, "yes" if row["prepared"] else "no", row["licence"] or "-", row["origin"] or "-"]


def _told(prepared: "Prepared") -> dict[str, Any]:
    from dataclasses import asdict

    from hpsearch.datasets.prepared import load
    from hpsearch.polarity import polarity_of

    ink = polarity_of(load(prepared.folder, "train")[0]).value
    said = asdict(prepared) | {"folder": str(prepared.folder), "classes": len(prepared.class_names), "ink": ink}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _counts(prepared: "Prepared") -> dict[str, tuple[int, int]]:
    from hpsearch.datasets.content import per_class
    from hpsearch.datasets.prepared import load

    names = prepared.class_names
    train, test = (per_class(load(prepared.folder, part)[1], len(names)) for part in ("train", "test"))
    return dict(zip(names, zip(train, test, strict=True), strict=True))


@contextmanager
def _shown_progress() -> "Iterator[Progress]":
    """A bar for each step on standard error, if that is a terminal; a log would only be cluttered.

    In percent, since some count bytes, others pictures or rows.
    """
    from hpsearch.protocols import unheard

    if not sys.stderr.isatty():
        yield unheard
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield progress
