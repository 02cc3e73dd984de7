"""`hpsearch export STUDY`: a model as files that stand alone, each tried out before it is given away."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.exported import Exported

EPILOG = """\b
Examples:
  hpsearch export quickstart --out model/
  hpsearch export emnist-cnn --format keras,onnx,litert-int8 --out model/
  hpsearch export emnist-cnn:12 --format all --out model/ --json

STUDY is its winner, STUDY:12 its trial 12: the finals' model of a finalist, else the
best epoch's weights, which are kept of the best `train.keep` trials. Every format takes
raw images (uint8, 0 to 255, ink as in the training images) and gives probabilities. Each
is loaded by its own runtime and run over the test split: one that does not give what
Keras's own model gives fails the export, and nothing is written. docs/export.md says more."""


@click.command(epilog=EPILOG)
@click.argument("model", metavar="STUDY[:TRIAL]")
@click.option(
    "--format", "formats", default="keras", show_default=True,
    help="Formats, parted by commas: keras, saved-model, onnx, litert, litert-int8, mlflow; or all that can be had.",
)  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def export(*, model: str, formats: str, out: Path, as_json: bool) -> None:
    """Export a model in formats for use elsewhere, each checked, with a model card."""
    from hpsearch.cli.output import complain, print_json, say
    from hpsearch.cli.serving import terminated_as_interrupted
    from hpsearch.contender_files import data_of, refuse_in_use
    from hpsearch.contenders import find
    from hpsearch.export_place import refuse_place
    from hpsearch.exporting import Subject
    from hpsearch.exporting import export as write
    from hpsearch.formats import chosen
    from hpsearch.protocols import unheard

    wanted = chosen(formats)
    refuse_place(out.absolute())
    project = paths.Project.around(Path.cwd())
    contender = find(project, model)
    refuse_in_use([contender])
    with terminated_as_interrupted():
        subject = Subject(project, contender, data_of(contender, unheard), wanted)
        exported = write(subject, out, _progress, complain)
    if as_json:
        print_json(exported.manifest)
        return
    _show(exported)
    say(f"\nwrote {out}")


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        click.echo(what, err=True)


def _show(exported: "Exported") -> None:
    from hpsearch import words
    from hpsearch.cli.output import say, table

    (together,) = {one["batch"] for one in exported.manifest["formats"].values()}
    head = ("format", "file", "accuracy", "largest difference", "size", "one image", words.count(together, "image"))
    rows = [
        (
            name, one["path"], f"{one['accuracy']:.4f}", f"{one['largest_difference']:.1e}",
            f"{one['bytes'] / 1e6:.2f} MB", f"{one['single_ms']:.3f} ms", f"{one['batch_ms']:.2f} ms",
        )
        for name, one in exported.manifest["formats"].items()
    ]  # fmt: skip
    table(head, rows)
    test = exported.manifest["test"]
    say(f"\nKeras's own model reads {test['model_accuracy']:.4f} of the test split's {test['rows']:,} images rightly")
