"""The options by which `hpsearch show` and `hpsearch table` choose and order trials."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

WHERE = click.option("--where", metavar="WISH", help='Only these trials: "units_0 >= 256 and status = completed".')
SORT = click.option(
    "--sort",
    metavar="COLUMN",
    help="In the order of a column; -COLUMN for the largest first. But score means best first, -score worst first.",
)
TOP = click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
COLUMNS = click.option("--columns", metavar="A,B", help="These columns of the table, parted by commas.")


def chooses(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the four options `where`, `sort`, `top` and `columns`."""
    for option in (COLUMNS, TOP, SORT, WHERE):
        command = option(command)
    return command


def chosen(table: "pd.DataFrame", where: str | None, sort: str | None, top: int | None) -> "pd.DataFrame":
    """The rows that the options ask for, in their order; raise ExperimentRefused for words that fit no column."""
    from hpsearch import choosing

    table = choosing.where(table, where) if where else table
    table = choosing.ordered(table, sort) if sort else table
    return table.head(top) if top else table


def named(table: "pd.DataFrame", columns: str | None) -> "pd.DataFrame":
    """The columns that the option names, or all."""
    from hpsearch import choosing

    return choosing.columns(table, [word.strip() for word in columns.split(",")]) if columns else table
