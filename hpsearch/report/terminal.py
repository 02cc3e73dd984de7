"""Shows on the terminal what a study came to: a table of its best trials, and a few words."""

from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING

from hpsearch import verdict_words, words
from hpsearch.records import Finalist
from hpsearch.report.facts import Facts, TrialFacts

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

MOST_TRIALS = 15
NARROW = 80  # columns, below which a table leaves the values a few signs a line, or none
LONGEST_METRIC = 24  # signs, as on the board: a longer head leaves no room for the values
COLOURS = {"completed": "green", "pruned": "yellow", "failed": "red"}


def show(facts: Facts, console: "Console") -> None:
    """Print the best trials as a table, the failures, the finals and the verdict."""
    from rich.text import Text

    console.print(_table(facts) if console.width >= NARROW else _stack(facts))
    if len(facts.trials) > MOST_TRIALS:
        console.print(Text(f"… and {len(facts.trials) - MOST_TRIALS} more", "dim"))
    conclude(facts, console)


def conclude(facts: Facts, console: "Console") -> None:
    """Print what the study came to in sentences, and the winner's values."""
    from rich.text import Text

    lines = [Text(line) for line in summary(facts)]
    if facts.verdict and facts.best:
        lines.append(Text(f"  {words.values(facts.best.values)}", "dim"))
    for line in lines:
        console.print(line, soft_wrap=not console.file.isatty())


def summary(facts: Facts) -> list[str]:
    """What the study came to, in sentences."""
    return list(_lines(facts))


def _lines(facts: Facts) -> Iterator[str]:
    for name, line in by_name(facts).items():
        if name == "winner":
            yield from _finalists(facts)
        yield f"{words.clean(facts.name)}: {line}" if name == "trials" else line


def by_name(facts: Facts) -> dict[str, str]:
    """The same without the finalists, by what each sentence tells of."""
    ended = ", ".join(f"{count} {status}" for status, count in facts.counts.items())
    trials = words.count(len(facts.trials), "trial") + (f" ({ended})" if ended else "")
    told = {"trials": f"{trials} in {words.span(facts.searched)} of searching"}
    if facts.ended_by_tuner:
        told["search"] = f"the search is over: {words.clean(facts.reason)}"
    if facts.pruning:
        told["pruning"] = f"pruning: {facts.pruning}"
    if facts.verdict:
        metric, looks = facts.objective.split()[-1], facts.looks or {facts.name: facts.judged}
        told |= verdict_words.by_name(facts.verdict, metric, looks, facts.openings)
    elif facts.best:
        leader = f"{words.clean(facts.objective.split()[-1])} {words.score(facts.best.score)}"
        told["so far"] = f"so far trial {facts.best.number} leads with {leader}"
    if not facts.finished and facts.reason:
        told["stopped"] = f"stopped: {words.clean(facts.reason)}"
    return told


def _finalists(facts: Facts) -> Iterator[str]:
    metric = facts.objective.split()[-1]
    for finalist in facts.verdict.finalists if facts.verdict else ():
        star = "★" if facts.verdict and finalist.trial == facts.verdict.winner else " "
        yield f"{star} finalist {finalist.trial}: {', '.join(_finalist(finalist, metric))}"


def _finalist(finalist: Finalist, metric: str) -> Iterator[str]:
    scores, tests = finalist.scores, finalist.test_accuracies
    if scores:
        yield f"{metric} {words.score(fmean(scores))} over {words.count(len(scores), 'seed')}"
    if tests:
        yield f"expected accuracy {words.score(fmean(tests))}"
    if failed := verdict_words.failed(finalist):
        yield failed


def _table(facts: Facts) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table, metric = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left"), facts.objective.split()[-1]
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column(Text(words.clean(metric, LONGEST_METRIC)), justify="right", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("values", overflow="fold")
    for trial in facts.trials[:MOST_TRIALS]:
        epoch, score = _so_far(trial, metric)
        table.add_row(
            _name(trial, facts), Text(trial.status, COLOURS.get(trial.status, "cyan")), words.score(score),
            str(epoch or ""), words.span(trial.seconds), Text(_last_column(trial)),
        )  # fmt: skip
    return table


def _stack(facts: Facts) -> "Group":
    """The same, with each trial on lines of its own."""
    from rich.console import Group, RenderableType
    from rich.padding import Padding
    from rich.text import Text

    metric, lines = facts.objective.split()[-1], list[RenderableType]()
    for trial in facts.trials[:MOST_TRIALS]:
        epoch, score = _so_far(trial, metric)
        said = [f"{words.clean(metric, LONGEST_METRIC)} {words.score(score)}", *([f"epoch {epoch}"] if epoch else [])]
        head = Text(f"{_name(trial, facts)}  ", "bold").append(trial.status, COLOURS.get(trial.status, "cyan"))
        lines += [head.append("  ".join(["", *said, words.span(trial.seconds)]), "not bold")]
        lines += [Padding(Text(_last_column(trial)), (0, 0, 0, 2))]
    return Group(*lines)


def _name(trial: TrialFacts, facts: Facts) -> str:
    return f"{'★ ' if facts.verdict and trial.number == facts.verdict.winner else ''}{trial.number}"


def _so_far(trial: TrialFacts, metric: str) -> tuple[int | None, float | None]:
    """The best epoch and the score; before it is over, the end of its curve: of the folds that have ended, if any."""
    if not trial.over and (curve := trial.curves.get(metric)):
        return curve[-1]
    return trial.best_epoch, trial.score


def _last_column(trial: TrialFacts) -> str:
    return words.failure(trial.failure) if trial.failure else words.values(trial.values)
