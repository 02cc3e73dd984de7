"""`hpsearch trial STUDY N`: one trial in full, or once more."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch import paths

if TYPE_CHECKING:
    from hpsearch.sameness import Replayed
    from hpsearch.trial import AttemptEnd, Fit
    from hpsearch.trial_story import TrialStory

MOST_EPOCHS = 30  # of a curve; a longer one is shown in steps
LOG_LINES, LOG_BYTES = 20, 20_000
CAME_OUT_OTHERWISE = 1
EPILOG = """\b
Examples:
  hpsearch trial quickstart 3
  hpsearch trial quickstart 3 --json
  hpsearch trial quickstart 3 --replay

--replay trains the trial again under the same seeds and compares every metric of every
epoch, to the last bit; the study is not touched. Exit codes then: 0 it came out the same,
1 it did not, 6 code or data changed since."""


@click.command(epilog=EPILOG)
@click.argument("study")
@click.argument("number", type=click.IntRange(min=0))
@click.option("--replay", is_flag=True, help="Train it again, and say whether it comes out the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def trial(ctx: click.Context, *, study: str, number: int, replay: bool, as_json: bool) -> None:
    """Show trial NUMBER of STUDY: values, attempts, learning curves, failure, log and model."""
    from hpsearch.cli.output import print_json, say

    project = paths.Project.around(Path.cwd())
    if replay:
        replayed = _replay(project, study, number)
        if as_json:
            from dataclasses import asdict

            print_json({"same": replayed.same, **asdict(replayed)})
        else:
            say(_verdict(replayed))
        ctx.exit(0 if replayed.same else CAME_OUT_OTHERWISE)
    from hpsearch.study import existing, read
    from hpsearch.trial_story import tell

    story = tell(read(project, study), number)
    folder = existing(project, study)
    print_json(_plain(story, folder)) if as_json else _show(story, folder)


def _replay(project: paths.Project, study: str, number: int) -> "Replayed":
    from hpsearch.protocols import unheard
    from hpsearch.replay import Replay

    def hear(text: str) -> None:
        click.echo(text, err=True)

    return Replay(project, study, number, hear, unheard).run()


def _verdict(replayed: "Replayed") -> str:
    from hpsearch.words import count

    epochs = count(replayed.epochs, "epoch")
    if replayed.same:
        lines = [f"trial {replayed.trial} came out the same: {epochs}, every metric to the last bit"]
    else:
        where = {(one.fit, one.epoch) for one in replayed.differences}
        lines = [f"trial {replayed.trial} came out otherwise: in {len(where)} of {epochs}", *replayed.surprises]
        furthest = [abs(one.by) for one in replayed.differences if one.by is not None]
        lines += [f"the largest difference of a metric: {max(furthest):.3g}"] if furthest else []
    lines += [f"since then: {', '.join(replayed.versions)}"] if replayed.versions else []
    return "\n".join(lines)


def _show(story: "TrialStory", folder: paths.Study) -> None:
    from hpsearch.cli.output import say, table

    say(_head(story, folder.folder.name))
    _section("values", [f"{name} = {value}" for name, value in sorted(story.values.items())])
    _section("fixed", [f"{name} = {value}" for name, value in sorted(story.fixed.items())])
    if story.attempts:
        say("\nattempts")
        table(("fit", "attempt", "ended", "epochs", "score", "seconds", "reason"), _attempts(story))
    for fit, epochs in story.measures.items():
        say(f"\nepochs of {fit.name}")
        _show_curve(epochs)
    if story.result and story.result.failure:
        failure = story.result.failure
        _section("failure", [f"{failure.kind}: {failure.message}", *failure.traceback.splitlines()])
    for fit in story.search_fits:
        _section(f"the end of {folder.fit(fit.name).log}", _log(folder, fit))
    if built := story.built:
        took = f"built in {built.building:.2g} s, traced in {built.tracing:.2g} s"
        _section("model", [f"{built.parameters:,} weights, loop {built.loop}, {took}", *built.summary.splitlines()])
    _section("kept", [str(file) for file in _kept(story, folder)])


def _head(story: "TrialStory", study: str) -> str:
    from hpsearch import words

    head = f"trial {story.number} of {study}: {story.status}"
    if (result := story.result) is None:
        return head
    metric = str(story.session.experiment["search"]["objective"]).split()[-1]
    best = f", {metric} {words.score(result.score)} at epoch {result.best_epoch}" if result.score is not None else ""
    return f"{head}{best}, {words.span(result.seconds)} of training" + (f" ({result.reason})" if result.reason else "")


def _section(title: str, lines: list[str]) -> None:
    from hpsearch.cli.output import say

    if lines:
        say("\n".join([f"\n{title}", *(f"  {line}" for line in lines)]))


def _attempts(story: "TrialStory") -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for attempt, end in story.attempts.items():
        made = len(story.measures.get(attempt.fit, {}))
        told = _came_to(end) if end else ("not yet", made, "-", "-", "")
        rows.append((attempt.fit.name, attempt.number, *told))
    return rows


def _came_to(end: "AttemptEnd") -> tuple[object, ...]:
    from hpsearch import words

    how = "failed" if end.failure else end.how.value
    return how, end.epochs, words.score(end.score), words.span(end.seconds), words.reason(end.failure, end.reason)


def _show_curve(epochs: "dict[int, Any]") -> None:
    from hpsearch.cli.output import table
    from hpsearch.cli.show import Number

    names = list(dict.fromkeys(name for metrics in epochs.values() for name in metrics))
    step = -(-len(epochs) // MOST_EPOCHS)
    shown = [epoch for place, epoch in enumerate(sorted(epochs), 1) if place % step == 0 or place in {1, len(epochs)}]
    cells = [
        [epoch, *(Number(epochs[epoch][name]) if name in epochs[epoch] else "-" for name in names)] for epoch in shown
    ]
    table(("epoch", *names), cells)


def _log(folder: paths.Study, fit: "Fit") -> list[str]:
    """The last lines of what the fit printed."""
    try:
        with folder.fit(fit.name).log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            return file.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return []


def _kept(story: "TrialStory", folder: paths.Study) -> list[Path]:
    """The weights and models of the trial that are still on disk."""
    fits = [folder.fit(name) for name in dict.fromkeys(attempt.fit.name for attempt in story.attempts)]
    return [file for fit in fits for file in (fit.weights, fit.model) if file.exists()]


def _plain(story: "TrialStory", folder: paths.Study) -> dict[str, Any]:
    """The same for programs."""
    return {
        "study": folder.folder.name,
        "trial": story.number,
        "status": story.status,
        "values": story.values,
        "fixed": story.fixed,
        "result": story.result,
        "attempts": [
            {"fit": attempt.fit.name, "attempt": attempt.number, "seed": attempt.fit.seed, "end": end}
            for attempt, end in story.attempts.items()
        ],
        "epochs": {
            fit.name: [{"epoch": epoch, **metrics} for epoch, metrics in sorted(epochs.items())]
            for fit, epochs in story.measures.items()
        },
        "model": story.built,
        "log": {fit.name: _log(folder, fit) for fit in story.search_fits},
        "kept": [str(file) for file in _kept(story, folder)],
    }
