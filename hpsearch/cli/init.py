"""`hpsearch init`: a project to begin with, for those who have installed hpsearch and nothing else."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hpsearch.laying_out import LaidOut

EPILOG = """\b
Examples:
  hpsearch init                      in this folder
  hpsearch init digits               in the folder digits, which is made if need be

What is there already is never changed, so a second time does no harm."""
WHAT = {
    "experiments/": "{} new: what to search, and how; see the first lines of each",
    "searchspace/": "{} new: the models that are searched, to change or to add to",
    ".gitignore": "has git leave alone what runs write (mlruns/)",
}


@click.command(epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print what was made, and what was left alone, as JSON.")
def init(*, folder: Path, as_json: bool) -> None:
    """Begin a project in FOLDER (this one, unless named): experiments to run, and the models that they search."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.laying_out import lay_out

    done = lay_out(folder)
    if as_json:
        print_json(done)
    else:
        say("\n".join([*_made(done), *_left(done), *_next(done.folder, folder)]))


def _made(done: "LaidOut") -> list[str]:
    if not done.made:
        return [f"nothing is missing in {done.folder}"]
    counts = {place: sum(name.startswith(place) for name in done.made) for place in WHAT}
    lines = [f"  {place:<13} {WHAT[place].format(count)}" for place, count in counts.items() if count]
    return [f"made in {done.folder}:", *lines]


def _left(done: "LaidOut") -> list[str]:
    from hpsearch.laying_out import GITIGNORE, RUNS

    lines = [f"  {name}" for name in done.left]
    if GITIGNORE in done.left:
        lines.append(f"add the line {RUNS} to {GITIGNORE}, so that git leaves alone what runs write")
    return ["left alone, being there and other than hpsearch's own:", *lines] if lines else []


def _next(place: Path, named: Path) -> list[str]:
    from hpsearch.laying_out import FIRST

    go = [] if place == Path.cwd() else [f"  cd {shlex.quote(str(named))}"]
    return ["", "a first search, in a minute or two and without a network:", *go, f"  hpsearch run {FIRST}"]
