"""`hpsearch list` and `best`: what the project's studies came to."""

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.report.facts import Facts

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _project() -> paths.Project:
    return paths.Project.around(Path.cwd())


@click.command("list", epilog="\b\nExample:\n  hpsearch list --json")
@AS_JSON
def list_studies(*, as_json: bool) -> None:
    """List the project's studies: how far each is, and what it came to."""
    from hpsearch.cli.output import print_json, say, table

    project = _project()
    lines = [line for name in project.studies() if (line := _line_or_trouble(project, name))]
    if as_json:
        print_json(lines)
    elif lines:
        table([name.replace("_", " ") for name in lines[0]], [_cells(line) for line in lines])
    else:
        say(f"no studies yet; begin with: {_beginning(project)}")


def _beginning(project: paths.Project) -> str:
    """The command that begins a first study: of an experiment that is there, or that makes some."""
    from hpsearch.laying_out import FIRST

    known = sorted(project.root.glob("experiments/*.toml"), key=lambda file: (file != project.root / FIRST, file))
    return f"hpsearch run {shlex.quote(os.path.relpath(known[0]))}" if known else "hpsearch init"


def _line_or_trouble(project: paths.Project, name: str) -> dict[str, Any] | None:
    """A study's line; None for what a run has left that was killed before there was anything to tell."""
    from hpsearch.errors import HpsearchError, StateDamaged
    from hpsearch.outcomes import outcomes
    from hpsearch.report.facts import Facts, gather
    from hpsearch.study import is_bare

    try:
        facts = gather(outcomes(project, name), name)
        begun = facts.experiment or not facts.reason or not is_bare(project.study(name))
        return _line(name, facts) if begun else None
    except HpsearchError as error:  # which `show` tells, and the other studies are to be listed all the same
        state = "damaged" if isinstance(error, StateDamaged) else "unreadable"
        return {**_line(name, Facts()), "state": state}


def _line(name: str, facts: "Facts") -> dict[str, Any]:
    """What a study came to; `best` is the search's best score, which does not fall where another trial wins."""
    leader = facts.leader or facts.best
    return {
        "study": name,
        "state": _standing(facts),
        "trials": sum(trial.over for trial in facts.trials),
        "objective": facts.objective if facts.experiment else "",
        "best": leader.score if leader else None,
        "expected_accuracy": facts.verdict.expected_accuracy if facts.verdict else None,
        "searched_seconds": round(facts.searched),
    }


def _cells(line: dict[str, Any]) -> list[object]:
    from hpsearch import words

    return [words.score(cell) if isinstance(cell, float) else "" if cell is None else cell for cell in line.values()]


def _standing(facts: "Facts") -> str:
    from hpsearch.records import SessionEnded

    if facts.verdict:
        return "finished"
    return SessionEnded(facts.finished, facts.reason).state if facts.reason else "running"


@click.command(epilog="\b\nExample:\n  hpsearch best quickstart --json")
@click.argument("study")
@AS_JSON
def best(*, study: str, as_json: bool) -> None:
    """Show the winner of STUDY: its values, its test figures class by class, and where its model is."""
    from hpsearch import looks
    from hpsearch.class_report import report_text
    from hpsearch.cli.output import print_json, say
    from hpsearch.errors import NothingCompleted
    from hpsearch.outcomes import outcomes
    from hpsearch.paths import MODEL
    from hpsearch.state import State
    from hpsearch.verdict_words import sentences

    state = State()
    for news in outcomes(_project(), study):
        state.take(news)
    if state.verdict is None:
        message = f"the study {study!r} has no winner yet: run its experiment file again to finish it"
        raise NothingCompleted(message)
    course = state.courses[state.verdict.winner]
    values = course.result.trial.values if course.result else course.values
    model, judged = _project().study(study).best / MODEL, looks.of_study(_project(), study)
    if as_json:
        sure = {"judged": len(state.judged), "looks": judged, "openings": state.openings}
        told = {"expected_accuracy": state.verdict.expected_accuracy, **asdict(state.verdict)}
        print_json({"values": values, "model": str(model), **sure, **told})
        return
    chosen = "\n".join(f"  {name} = {value}" for name, value in sorted(values.items()))
    objective = state.session.experiment["search"]["objective"] if state.session else ""
    said = "\n".join(sentences(state.verdict, objective.rpartition(" ")[2], judged, state.openings))
    say(f"trial {state.verdict.winner} of {study}\n\n{chosen}\n\n{report_text(state.verdict)}\n{said}\nmodel: {model}")
