"""`hpsearch compare A B …`: finished models side by side on their common test split."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths
from hpsearch.errors import ExperimentRefused

if TYPE_CHECKING:
    from hpsearch.comparing import Comparison, Pair

EPILOG = """\b
Examples:
  hpsearch compare mnist-mlp mnist-cnn
  hpsearch compare mnist-mlp mnist-mlp:7 mnist-cnn --picture models.png
  hpsearch compare mnist-mlp mnist-cnn --json

STUDY is its winner, STUDY:12 its trial 12: the finals' model of a finalist, else the
best epoch's weights, which are kept of the best `train.keep` trials. A model that the
test split was never shown to is noted in its study first: each look at the test split
makes the next one worth a little less. Times are measured now, on this machine."""


@click.command(epilog=EPILOG)
@click.argument("models", nargs=-1, required=True, metavar="STUDY[:TRIAL]...")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw it: .png, .svg or .pdf."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(*, models: tuple[str, ...], picture: Path | None, as_json: bool) -> None:
    """Compare models: accuracy with intervals and paired tests, size, latency and training time."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.comparing import compare as measure
    from hpsearch.contenders import find_all
    from hpsearch.protocols import unheard

    _refuse_words(models, picture)
    project = paths.Project.around(Path.cwd())
    contenders = find_all(project, models)
    click.echo("the models are loaded and measured", err=True)
    comparison = measure(project, contenders, unheard)
    if as_json:
        print_json(comparison)
    else:
        _show(comparison)
    if picture:  # at the end: what the look at the test split gave is told, whatever becomes of the picture
        from hpsearch.comparison_picture import draw

        draw(comparison, picture.absolute())
        if not as_json:
            say(f"\nwrote {picture}")


def _refuse_words(models: tuple[str, ...], picture: Path | None) -> None:
    from hpsearch.comparison_picture import ENDINGS

    if len(models) < 2 or len(set(models)) < len(models):  # noqa: PLR2004  # one has nothing to be compared with
        message = "name two models or more, each once\n  such as: hpsearch compare mnist-mlp mnist-mlp:7"
        raise ExperimentRefused(message)
    if picture and picture.suffix not in ENDINGS:
        message = f"{picture}: a picture ends in {', '.join(ENDINGS)}"
        raise ExperimentRefused(message)
    if picture and not os.access(picture.absolute().parent, os.W_OK):  # before the test split is looked at
        message = f"{picture}: nothing can be written there\n  name a folder that is there and that you may write to"
        raise ExperimentRefused(message)


def _show(comparison: "Comparison") -> None:
    from hpsearch import words
    from hpsearch.cli.output import say, table
    from hpsearch.verdict_words import looks

    head = (
        "model",
        "trial",
        "model accuracy",
        "95 % interval",
        "weights",
        "file",
        "one image",
        words.count(comparison.batch, "image"),
        "training",
    )
    rows = [
        (
            one.name, one.trial, f"{one.model_accuracy:.4f}", "{:.4f} to {:.4f}".format(*one.interval),
            f"{one.parameters:,}", f"{one.bytes / 1e6:.2f} MB", f"{one.single_ms:.2f} ms", f"{one.batch_ms:.1f} ms",
            words.span(one.training_seconds),
        )
        for one in comparison.models
    ]  # fmt: skip
    table(head, rows)
    if len({one.trained_on for one in comparison.models}) > 1:
        say(f"\ntrained on unlike rows: {', '.join(f'{one.name} on {one.trained_on}' for one in comparison.models)}")
    negatives = f", their negatives for {', '.join(comparison.inverted)}" if comparison.inverted else ""
    say(f"\npair by pair, on the same {comparison.test_rows:,} images of the test split{negatives}:")
    say("\n".join(f"  {_words(pair)}" for pair in comparison.pairs))
    say(f"\n{looks(comparison.looked)}")


def _words(pair: "Pair") -> str:
    better = pair.one if pair.only_one_right > pair.only_other_right else pair.other
    verdict = f"{better} is better" if pair.told_apart else "the data do not tell them apart"
    return (
        f"only {pair.one} reads {pair.only_one_right} right, only {pair.other} {pair.only_other_right}: "
        f"{verdict} (p = {pair.p:.2g})"
    )
