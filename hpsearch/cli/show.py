"""`hpsearch show STUDY`: its trials, all or some of them, and what it came to."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import paths
from hpsearch.cli.choice import chooses

if TYPE_CHECKING:
    import pandas as pd

    from hpsearch.report.facts import Facts

PIPED_COLUMNS = 200
SHOWN = ("number", "status", "score", "best_epoch", "seconds")
EPILOG = """\b
Examples:
  hpsearch show quickstart
  hpsearch show quickstart --where "units_0 >= 256 and status = completed" --sort seconds
  hpsearch show quickstart --columns number,score,units_0 --top 5
  hpsearch show quickstart --json

Columns are number, status, score, best_epoch, seconds, reason, failure, and every
parameter and metric by its name (params.NAME and metrics.NAME where both have it)."""


@click.command(epilog=EPILOG)
@click.argument("study")
@chooses
@click.option("--json", "as_json", is_flag=True, help="Print JSON: whole trials, whatever the columns.")
def show(
    *, study: str, where: str | None, sort: str | None, top: int | None, columns: str | None, as_json: bool
) -> None:
    """Show the trials of STUDY, best first, with their values and failures."""
    from hpsearch.cli.output import print_json
    from hpsearch.outcomes import outcomes
    from hpsearch.report.reading import facts_of
    from hpsearch.study import read

    project = paths.Project.around(Path.cwd())
    facts = facts_of(project, study, read if as_json else outcomes)
    if not (where or sort or top or columns):
        print_json(facts) if as_json else _show_all(facts)
        return
    from hpsearch import frames
    from hpsearch.cli.choice import chosen, named

    table = chosen(frames.trials(facts), where, sort, top)
    if as_json:
        by_number = {trial.number: trial for trial in facts.trials}
        facts.trials = [by_number[number] for number in table["number"]]
        print_json(facts)
    else:
        _show_some(table if columns is None else named(table, columns), len(facts.trials), whole=columns is None)


def _show_all(facts: "Facts") -> None:
    from rich.console import Console

    from hpsearch.report.terminal import show as show_facts

    show_facts(facts, Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))


def _show_some(found: "pd.DataFrame", trials: int, *, whole: bool) -> None:
    from hpsearch.cli.output import say, table
    from hpsearch.words import count

    if whole:
        params = [name for name in found.columns if name.startswith("params.") and found[name].notna().any()]
        failed = ["failure"] if (found["failure"] != "").any() else []
        found = found[[*SHOWN, *params, *failed]]
    head = [name.removeprefix("params.") for name in found.columns]
    table(head, [[_cell(cell) for cell in row] for row in found.itertuples(index=False)])
    say(f"\n{len(found)} of {count(trials, 'trial')}")


def _cell(cell: Any) -> object:
    import numpy as np
    import pandas as pd

    if pd.isna(cell):
        return "-"
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "no"
    return Number(cell) if isinstance(cell, float) else cell


class Number(float):
    """A number that is written in a few digits, and still stands to the right in a table."""

    def __str__(self) -> str:
        """Write six digits at most."""
        return f"{self:.6g}"
