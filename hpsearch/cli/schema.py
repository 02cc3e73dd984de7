"""Prints the JSON Schema of experiment files, so that an editor can complete and check them."""

import click

from hpsearch.cli.output import print_json

EPILOG = """\b
Example:
  hpsearch schema > experiment.schema.json"""


@click.command(epilog=EPILOG)
def schema() -> None:
    """Print the JSON Schema of experiment files."""
    from hpsearch.experiment import Experiment

    described = Experiment.model_json_schema()
    described |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hpsearch experiment"}
    print_json(described)
