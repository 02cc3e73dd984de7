"""`hpsearch explain STUDY`: what mattered, what hit its bound, what never helped, and the experiment that follows."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import files, paths

if TYPE_CHECKING:
    from hpsearch.explaining import Explanation
    from hpsearch.report.findings import Finding

BAR_SIGNS = 20
INSTEAD = {"tracking.mlflow": "set MLFLOW_TRACKING_URI, or write it anew", "data.mirror": "write it anew"}
EPILOG = """\b
Examples:
  hpsearch explain mnist-mlp
  hpsearch explain mnist-mlp --json
  hpsearch explain mnist-mlp --write experiments/mnist_mlp_2.toml

--write gives the next experiment: a range is widened where the best trials lie at its
bound, and narrowed where they lie close together; choices that never helped are left
out, and what matters little is fixed. It starts from this study's best trials
(search.start_from), where the tuner can. It is a proposal: whether build_model makes sense
beyond its own ranges, only its author knows."""


@click.command(epilog=EPILOG)
@click.argument("study")
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the next experiment."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(*, study: str, write: Path | None, as_json: bool) -> None:
    """Explain STUDY: which parameters mattered, and where to search next."""
    from hpsearch.cli.output import print_json, say
    from hpsearch.explaining import explain as find_out
    from hpsearch.report.facts import gather
    from hpsearch.study import read

    project = paths.Project.around(Path.cwd())
    explanation = find_out(gather(read(project, study), study))
    if write:
        _write(project, explanation, write)
    if as_json:
        print_json(_plain(explanation))
        return
    _show(explanation)
    if write:
        say(f"\nwrote {write}; look it through, then: hpsearch run {shlex.quote(str(write))}")


def _show(explanation: "Explanation") -> None:
    from hpsearch.cli.output import say
    from hpsearch.explaining import in_words
    from hpsearch.report.findings import BoundHit, Gathered, NeverHelped
    from hpsearch.words import count

    if explanation.trials < explanation.needed:
        done = count(explanation.trials, "completed trial")
        say(f"{explanation.study} has {done}; with fewer than {explanation.needed} nothing can be said")
        return
    say(f"what mattered, in {explanation.study}'s {explanation.trials} completed trials (share; 90 % interval)")
    _show_weights(explanation)
    for title, kind in (
        ("hit its bound", BoundHit),
        ("never helped", NeverHelped),
        ("the best lie together", Gathered),
    ):
        found = [in_words(finding) for finding in explanation.findings if isinstance(finding, kind)]
        say(
            "\n".join(
                [f"\n{title}", *(f"  {line}" for line in found or ["nothing, as far as can be told from chance"])]
            )
        )
    if explanation.idle:
        say(f"\nmatters little\n  {', '.join(explanation.idle)}")


def _show_weights(explanation: "Explanation") -> None:
    from hpsearch.cli.output import say

    if explanation.alone:
        say(f"  {explanation.alone} alone varies in enough trials, so that there is nothing to weigh it against")
    elif not explanation.weights:
        say("  no parameter can be told from chance yet")
    width = max((len(one.name) for one in explanation.weights), default=0)
    for one in explanation.weights:
        bar = "█" * round(BAR_SIGNS * one.share)
        say(f"  {one.name.ljust(width)}  {one.share:4.0%}  {one.low:4.0%} to {one.high:4.0%}  {bar}".rstrip())
    if explanation.unweighed:
        say(f"  too few trials to weigh: {', '.join(explanation.unweighed)}")


def _plain(explanation: "Explanation") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(explanation), "findings": [_said(finding) for finding in explanation.findings]}


def _said(finding: "Finding") -> dict[str, Any]:
    from dataclasses import asdict

    from hpsearch.explaining import in_words

    own = {**asdict(finding), "parameter": finding.parameter.name}
    return {"kind": type(finding).__name__, **own, "words": in_words(finding)}


def _write(project: paths.Project, explanation: "Explanation", file: Path) -> None:
    """Write the next experiment; a file that is there is left alone."""
    from hpsearch.cli.check import toml
    from hpsearch.errors import ExperimentRefused, NothingCompleted
    from hpsearch.experiment import Experiment
    from hpsearch.loading.part_checks import is_guided
    from hpsearch.next_experiment import next_experiment
    from hpsearch.provenance import without_redacted
    from hpsearch.study import existing, last_session

    if explanation.trials < explanation.needed:
        message = (
            f"with fewer than {explanation.needed} completed trials there is nothing to conclude for a next experiment"
        )
        raise NothingCompleted(message)
    if file.exists():
        message = f"{file}: this file is there already\n  name another, or delete it"
        raise ExperimentRefused(message)
    kept = Experiment.model_validate(last_session(existing(project, explanation.study)).experiment)
    experiment, gone = without_redacted(kept)
    there = paths.Project.around(file.absolute().parent)
    at_home = there.root.resolve() == project.root.resolve()
    guided = is_guided(experiment.search.tuner) and at_home
    base = explanation.study[:70].removesuffix("-next").rstrip(".-_")
    name, start = there.free_name(f"{base}-next"), explanation.study if guided else None
    said = next_experiment(experiment, explanation.findings, explanation.idle, name, start)
    head = [
        f"# What follows from the study {explanation.study}: hpsearch explain {explanation.study} --write",
        f"# Run it:  hpsearch run {shlex.quote(str(file))}",
        *(f"# {key} held a secret, which is not kept: {INSTEAD[key]}" for key in gone),
    ]
    files.write_text(file.absolute(), "\n".join([*head, "", toml(said), ""]))
    _check(file, there, "" if at_home else f": its project would be {there.root}")


def _check(file: Path, project: paths.Project, place: str) -> None:
    """Read the file as `hpsearch check` and `run` will, in the project around it; delete it where they refuse it."""
    from hpsearch.errors import ExperimentRefused
    from hpsearch.loading import load

    try:
        load(file, project)
    except ExperimentRefused as refused:
        file.unlink()
        message = f"{refused}\n  so it was not kept{place}"
        raise ExperimentRefused(message) from refused
