"""`hpsearch export STUDY`: the winner as files that stand alone."""

import json
from pathlib import Path

import click

from hpsearch import paths, plugins
from hpsearch.errors import NothingCompleted, StateDamaged


@click.command(epilog="\b\nExample:\n  hpsearch export quickstart --format keras --out model/")
@click.argument("study")
@click.option("--format", "formats", default="keras", show_default=True, help="Formats, parted by commas.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(*, study: str, formats: str, out: Path, as_json: bool) -> None:
    """Export the winner of STUDY with a manifest of its input, classes and digests."""
    from hpsearch.study import existing
    from hpsearch.winner import MANIFEST, MODEL, verify

    exporters = [plugins.make("exporters", name.strip(), {}, "--format") for name in formats.split(",")]
    project = paths.Project.around(Path.cwd())
    best = existing(project, study).best
    verify(best / MODEL, _tested(project, study))
    if not (best / MANIFEST).exists():
        message = f"{best / MANIFEST}: the manifest is missing; run the experiment again to have it written anew"
        raise StateDamaged(message)
    written = [file for exporter in exporters for file in exporter.write(best / MODEL, out)]
    paths.write_text(out / MANIFEST, (best / MANIFEST).read_text(encoding="utf-8"))
    written.append(out / MANIFEST)
    if as_json:
        click.echo(json.dumps([str(file) for file in written]))
    else:
        click.echo("\n".join(f"wrote {file}" for file in written))


def _tested(project: paths.Project, study: str) -> str:
    """The SHA-256 under which the winner's model was tested: what lies beside the model vouches for nothing."""
    from hpsearch.state import State
    from hpsearch.study import read

    state = State()
    for news in read(project, study):
        state.take(news)
    if state.verdict is None or state.opened is None:
        message = f"the study {study!r} has no winner yet: run its experiment file again to finish it"
        raise NothingCompleted(message)
    return state.opened.models[state.verdict.model_fit]
