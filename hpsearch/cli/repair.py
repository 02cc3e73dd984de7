"""`hpsearch repair STUDY`: what can be had of a damaged ledger."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.repair import Repaired


@click.command(epilog="\b\nExample:\n  hpsearch repair quickstart")
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def repair(*, study: str, as_json: bool) -> None:
    """Restore the ledger of STUDY from what is sound of it, or from its backup; the damaged file is kept."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.repair import repair as restore
    from hpsearch.study import existing, held

    folder = existing(paths.Project.around(Path.cwd()), study)
    with held(folder, doing="repair"):
        done = restore(folder)
    if as_json:
        print_json(done)
    else:
        say("\n".join(_lines(done)))


def _lines(done: "Repaired") -> list[str]:
    from hpsearch.words import count

    if not done.wrong:
        return [f"{done.study}: nothing to repair: {count(done.records, 'record')}, all sound"]
    lost = f"at least {count(done.lost, 'record')} after them" if done.lost > 0 else "whatever came after them"
    trials = f"{count(done.trials, 'finished trial')}, and {done.unfinished} unfinished, which will begin anew"
    return [
        done.wrong,
        f"kept: {count(done.records, 'record')}, of {done.source}: {trials}",
        f"lost: {lost}",
        *([f"the damaged file is kept as {done.aside}"] if done.aside else []),
        "to go on, run the experiment again",
    ]
