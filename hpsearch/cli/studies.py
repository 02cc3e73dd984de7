"""`hpsearch list` and `best`: what the project's studies came to."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.state import State

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _project() -> paths.Project:
    return paths.Project.around(Path.cwd())


def _state(name: str) -> "State":
    from hpsearch.outcomes import outcomes
    from hpsearch.state import State

    state = State()
    for news in outcomes(_project(), name):
        state.take(news)
    return state


@click.command("list", epilog="\b\nExample:\n  hpsearch list --json")
@AS_JSON
def list_studies(*, as_json: bool) -> None:
    """List the project's studies: how far each is, and what it came to."""
    from hpsearch.cli.output import print_json, say, table

    lines = [_line_or_damaged(name) for name in _project().studies()]
    if as_json:
        print_json(lines)
    elif lines:
        table([name.replace("_", " ") for name in lines[0]], [_cells(line) for line in lines])
    else:
        say("no studies yet; begin one with: hpsearch run experiments/quickstart.toml")


def _line_or_damaged(name: str) -> dict[str, Any]:
    from hpsearch.errors import StateDamaged
    from hpsearch.state import State

    try:
        return _line(name, _state(name))
    except StateDamaged:
        return {**_line(name, State()), "state": "damaged"}


def _line(name: str, state: "State") -> dict[str, Any]:
    from hpsearch.objective import Objective

    experiment = state.session.experiment if state.session else {}
    objective = Objective.parse(experiment["search"]["objective"]) if experiment else None
    scores = [result.score for result in state.results if result.score is not None]
    best = min(scores, key=objective.key) if objective and scores else None
    return {
        "study": name,
        "state": _standing(state),
        "trials": len(state.results),
        "objective": str(objective or ""),
        "best": best,
        "expected_accuracy": state.verdict.expected_accuracy if state.verdict else None,
        "searched_seconds": round(state.searched),
    }


def _cells(line: dict[str, Any]) -> list[object]:
    return [f"{cell:.4f}" if isinstance(cell, float) else "" if cell is None else cell for cell in line.values()]


def _standing(state: "State") -> str:
    if state.verdict:
        return "finished"
    return "interrupted" if state.ended else "running or killed"


@click.command(epilog="\b\nExample:\n  hpsearch best quickstart --json")
@click.argument("study")
@AS_JSON
def best(*, study: str, as_json: bool) -> None:
    """Show the winner of STUDY: its values, its test figures class by class, and where its model is."""
    from hpsearch import looks
    from hpsearch.cli.output import print_json, say
    from hpsearch.errors import NothingCompleted
    from hpsearch.trackers.verdict_words import sentences
    from hpsearch.winner import MODEL, table

    state = _state(study)
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
    said = "\n".join(sentences(state.verdict, judged, state.openings))
    say(f"trial {state.verdict.winner} of {study}\n\n{chosen}\n\n{table(state.verdict)}\n{said}\nmodel: {model}")
