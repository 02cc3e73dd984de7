"""Prints what experiment files may say: as JSON Schema, so that an editor can check them, or as a page to read."""

import click

from hpsearch.cli.output import print_json

EPILOG = """\b
Examples:
  hpsearch schema > experiments/experiment.schema.json
  hpsearch schema --markdown > keys.md"""


@click.command(epilog=EPILOG)
@click.option("--markdown", is_flag=True, help="Print a page that explains every key, tuner, pruner and source.")
def schema(*, markdown: bool) -> None:
    """Print the JSON Schema of experiment files, for editors: they complete and check the keys while you type."""
    if markdown:
        from hpsearch.keys.page import page

        click.echo(page(), nl=False)
        return
    from hpsearch.experiment import Experiment

    described = Experiment.model_json_schema()
    described |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hpsearch experiment"}
    print_json(described)
