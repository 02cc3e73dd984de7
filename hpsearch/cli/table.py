"""`hpsearch table STUDY`: its trials as a file for other programs, or as a study of Optuna's."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import files, paths
from hpsearch.cli.choice import chooses

if TYPE_CHECKING:
    import pandas as pd

    from hpsearch.report.facts import Facts

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a cell is a formula to spreadsheets
EPILOG = """\b
Examples:
  hpsearch table quickstart                      CSV on standard output
  hpsearch table quickstart --csv trials.csv --where "status = completed"
  hpsearch table quickstart --parquet trials.parquet --columns number,score,units_0
  hpsearch table quickstart --optuna sqlite:///optuna.db

Text in CSV that a spreadsheet would take for a formula gets a ' before it.
With --optuna the whole study is copied, whatever is chosen, for Optuna's own tools."""
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("study")
@click.option("--csv", type=FILE, metavar="FILE", help="Write CSV.")
@click.option("--parquet", type=FILE, metavar="FILE", help="Write Parquet.")
@click.option("--optuna", metavar="URL", help="Copy the study into an Optuna storage, such as sqlite:///optuna.db.")
@chooses
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def table(
    *, study: str, csv: Path | None, parquet: Path | None, optuna: str | None,
    where: str | None, sort: str | None, top: int | None, columns: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write the trials of STUDY, a row each, best first."""
    from hpsearch import frames
    from hpsearch.cli.choice import chosen, named
    from hpsearch.cli.output import print_json, say
    from hpsearch.report.facts import gather
    from hpsearch.study import read

    facts = gather(read(paths.Project.around(Path.cwd()), study), study)
    found = named(chosen(frames.trials(facts), where, sort, top), columns)
    if csv:
        files.write_text(csv.absolute(), _csv(found))
    if parquet:
        files.write(parquet.absolute(), _plain(found).to_parquet)
    if optuna:
        _copy(facts, optuna)
    if as_json:
        print_json(records(found))
    elif not (csv or parquet or optuna):
        click.echo(_csv(found), nl=False)
    else:
        from hpsearch.provenance import redacted

        say("\n".join(f"wrote {place}" for place in (csv, parquet, optuna and redacted(optuna)) if place))


def records(found: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows as plain data; what is missing is None."""
    from hpsearch.choosing import missing

    return [
        {
            str(name): None if missing(cell) else getattr(cell, "item", lambda cell=cell: cell)()
            for name, cell in row.items()
        }
        for row in found.to_dict("records")
    ]


def _csv(found: "pd.DataFrame") -> str:
    safe = found.map(_unformed).rename(columns=_unformed)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _unformed(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _plain(found: "pd.DataFrame") -> "pd.DataFrame":
    """The table with columns of mixed types as text, which Parquet needs."""
    from hpsearch.choosing import as_text

    mixed = [name for name in found.columns if found[name].dtype == object]
    return found.assign(**{name: as_text(found[name]).astype("str") for name in mixed})


def _copy(facts: "Facts", url: str) -> None:
    """Copy the study under its own name; raise ExperimentRefused when the storage has that name or cannot be opened."""
    import optuna

    from hpsearch.as_optuna import optuna_study
    from hpsearch.errors import ExperimentRefused
    from hpsearch.provenance import redacted

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    whole = optuna_study(facts)
    try:
        copy = optuna.create_study(study_name=facts.name, storage=url, directions=whole.directions)
    except optuna.exceptions.DuplicatedStudyError as error:
        message = f"{redacted(url)} has a study {facts.name!r} already\n  delete it there, or name another storage"
        raise ExperimentRefused(message) from error
    except Exception as error:  # SQLAlchemy, its drivers and Optuna raise anything for an address
        message = f"{redacted(url)} cannot be opened: {type(error).__name__}\n  such as sqlite:///optuna.db"
        raise ExperimentRefused(message) from error
    copy.add_trials(whole.trials)
