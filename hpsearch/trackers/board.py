"""Shows a live board on the terminal: how far the study is, what is being trained, and what leads."""

import threading
from typing import TYPE_CHECKING

from hpsearch import words
from hpsearch.experiment import Experiment
from hpsearch.records import News
from hpsearch.trackers.board_state import BoardState, Under
from hpsearch.trial import AttemptEnd, Status, TrialResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

REDRAWS_A_SECOND = 4
LEADERS = 5
FEWEST_RUNNING = 4  # lines of attempts; for so many all trials but the best give way
BAR = 12  # signs
NARROW, WIDE = 70, 100  # columns, below which the bars or the last values are left out
STAGES = {
    "search": "searching",
    "finals": "finals: the best once more, on fresh seeds",
    "test": "testing",
    "done": "done",
}
COLOURS = {Status.COMPLETED: "green", Status.PRUNED: "yellow", Status.FAILED: "red"}


class Board:
    """A tracker for terminals; `workers` is how many attempts run at a time. It draws nothing before it hears."""

    def __init__(self, experiment: Experiment, workers: int, console: "Console") -> None:
        self._state, self._console = BoardState(experiment, workers), console
        self._lock = threading.Lock()  # rich draws from a thread of its own
        self._live: Live | None = None

    def hear(self, news: News) -> None:
        """Take in a record; what it changes is seen within a quarter of a second."""
        with self._lock:
            self._state.take(news)
        if self._live is None:
            self._open()

    def _open(self) -> None:
        from rich.live import Live

        self._live = Live(
            get_renderable=self._draw, console=self._console, refresh_per_second=REDRAWS_A_SECOND,
            transient=True, redirect_stdout=True, redirect_stderr=True, vertical_overflow="ellipsis",
        )  # fmt: skip
        self._live.start()

    def close(self) -> None:
        """Take the board away, give the terminal back, and leave the last state as a plain table."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            self._console.print(self._draw(), highlight=False)

    def _draw(self) -> "RenderableType":
        """All of it; on a low terminal the attempts give way first, and the best trial never."""
        from rich.console import Group

        with self._lock:
            above, under_way = [self._header(), self._progress()], len(self._state.running)
            for most in (LEADERS, 1):
                below = self._below(most)
                room = self._room([*above, *below]) if under_way else 0
                if room >= min(FEWEST_RUNNING, under_way):
                    break
            return Group(*above, *([self._running(room)] if room > 0 else []), *below)

    def _room(self, others: "Sequence[RenderableType]") -> int:
        """How many lines of attempts the terminal has beside the other parts and the table's own head."""
        from rich.console import Group

        used = len(self._console.render_lines(Group(*others, self._running(1))))
        return self._console.height - used + 1

    def _below(self, most: int) -> "list[RenderableType]":
        leaders = self._state.leaders(most)
        finals = self._state.finalists and self._state.finals
        return [*([self._leaders(leaders)] if leaders else []), *([self._finals()] if finals else [])]

    def _header(self) -> "RenderableType":
        from rich.text import Text

        state = self._state
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(state.experiment.name, "bold")
        text.append(f"  {words.clean(state.experiment.search.objective)}", "cyan")
        text.append(f"  {STAGES[state.stage]}", "dim")
        return text

    def _progress(self) -> "RenderableType":
        from rich.text import Text

        state, budget = self._state, self._state.experiment
        wanted = budget.search.trials
        text = Text()
        if wanted:
            text.append(f"{_bar(state.done / wanted, 2 * BAR)} ", "blue")
        text.append(f"{state.done}{f' of {wanted}' if wanted else ''} trials")
        text.append(f" · {words.span(state.seconds())}{f' of {budget.search.time}' if budget.search.time else ''}")
        if (left := state.left()) is not None:
            text.append(f" · about {words.span(left)} left")
        for status, colour in COLOURS.items():
            if count := state.counts[status]:
                text.append(f" · {count} {status}", colour)
        return text

    def _running(self, most: int) -> "Table":
        """The attempts under way in so many lines; where there are more, the last says how many."""
        table, under_way = _table("running"), list(self._state.running.values())
        shown = under_way if len(under_way) <= most else under_way[: most - 1]
        wide, epochs = self._console.width, self._state.experiment.train.epochs
        for name in ("trial", "fit", "epoch", "", "last", "best"):
            if wide >= NARROW or name not in {"", "last"}:
                table.add_column(name, justify="left" if name in {"fit", ""} else "right", no_wrap=True)
        if wide >= WIDE:
            table.add_column("an epoch", justify="right", no_wrap=True)
        for under in shown:
            cells = [
                str(under.attempt.fit.trial),
                self._fit(under),
                f"{under.epoch}/{epochs}" if under.built or under.epoch else "building",
            ]
            cells += [_bar(under.epoch / epochs, BAR), words.score(under.last)] if wide >= NARROW else []
            cells.append(words.score(under.best))
            table.add_row(*cells, *([words.span(under.seconds) if under.seconds else ""] if wide >= WIDE else []))
        if more := len(under_way) - len(shown):
            table.add_row("…", f"{more} more")
        return table

    def _fit(self, under: Under) -> str:
        fit, data = under.attempt.fit, self._state.experiment.data
        parts = [f"seed {fit.repeat + 1}"] if fit.kind == "final" else ["all rows"] if fit.kind == "whole" else []
        if fit.kind == "search" and data.repeats > 1:
            parts.append(f"repeat {fit.repeat + 1}/{data.repeats}")
        if data.folds and fit.kind != "whole":
            parts.append(f"fold {fit.fold + 1}/{data.folds}")
        return " ".join(parts + ([f"try {under.attempt.number}"] if under.attempt.number > 1 else []))

    def _leaders(self, leaders: list[TrialResult]) -> "Table":
        from rich.text import Text

        table = _table("best trials")
        narrow = self._console.width < NARROW  # then the values need the place of the times
        metric = words.clean(self._state.experiment.objective.metric, 24)
        for name in ("trial", metric) if narrow else ("trial", metric, "time"):
            table.add_column(Text(name), justify="right", no_wrap=True)
        table.add_column("values", overflow="fold")
        for place, result in enumerate(leaders):
            varying = self._state.varying.of(result.trial.values)
            score = Text(f"{'★ ' if place == 0 else ''}{words.score(result.score)}", "bold green" if place == 0 else "")
            span = () if narrow else (words.span(result.seconds),)
            table.add_row(str(result.trial.number), score, *span, Text(words.values(varying)))
        return table

    def _finals(self) -> "Table":
        table = _table("finals")
        table.add_column("trial", justify="right", no_wrap=True)
        part = "fold" if self._state.experiment.data.folds else "seed"
        table.add_column(f"validation, {part} by {part}", overflow="fold")
        table.add_column("test", justify="right", no_wrap=True)
        verdict = self._state.verdict
        tested = {one.trial: one.test_accuracies for one in verdict.finalists} if verdict else {}
        seeds = range(self._state.experiment.final.seeds)  # in a session before there may have been more
        for trial in self._state.finalists:
            ends = [end for fit, end in self._state.finals.items() if fit.trial == trial and fit.repeat in seeds]
            scores = ["failed" if end.failure else words.score(end.score) for end in ends if _says_how_well(end)]
            star = "★ " if verdict and verdict.winner == trial else ""
            shown = "  ".join(words.score(score) for score in tested.get(trial, ()))
            table.add_row(f"{star}{trial}", "  ".join(scores), shown)
        return table


def _says_how_well(final: AttemptEnd) -> bool:
    """A training on all rows has no score."""
    return final.failure is not None or final.score is not None


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="dim", box=box.SIMPLE_HEAD, pad_edge=False)


def _bar(share: float, signs: int) -> str:
    full = min(signs, max(0, round(share * signs)))
    return "━" * full + "╌" * (signs - full)
