"""Turns the runs of time_to_accuracy.py into a table of times and ratios, and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import reporting
from arrivals import Arrivals, first_at, ratio
from reporting import Cell, Result
from runs import Run, one_machine

COLUMNS = ("target", "side", "arrived", "seconds, median", "seconds, each seed", "× {ours} [95 %]")
GOALS = {
    "mnist-mlp": "to 97.5 %: at least 8 times less than KerasTuner's RandomSearch, at least 2 times less than the best "
    "other peer",
}
RULES = (
    "From the start of the command, imports included, to the first validation accuracy at the target.",
    (
        "A run that does not get there counts as the limit, and the ratio is written with ≥. "
        "Where a side has fewer than five runs, fewer than three of a peer's or not all of ours get there, or the "
        "interval reaches 1, the ratio is shown, not claimed."
    ),
    (
        "The ratio is that of the medians over the seeds; [,] is a percentile bootstrap over five seeds, 10,000 draws. "
        "(,) is the same over fewer, which is then simply from the lowest to the highest: no 95 %."
    ),
)


def report(runs: Sequence[Run], ours: str, path: Path, command: str) -> None:
    """Write the JSON file and the picture of one task's runs; `path` is their name without its end."""
    if not runs:
        return
    work = runs[0]["work"]
    sides = sorted({run["side"] for run in runs}, key=lambda side: (side != ours, "hpsearch" not in side, side))
    found = {(target, side): _arrivals(runs, side, target) for target in work["targets"] for side in sides}
    title = f"Time to a validation accuracy of up to {100 * max(work['targets']):g} %: {work['task']}"
    Result(
        title=title, command=command, columns=[column.format(ours=ours) for column in COLUMNS],
        rows=[_row(target, side, found[target, side], found.get((target, ours))) for target, side in found],
        predicted=GOALS.get(work["task"], ""), machine=one_machine(runs),
        plot=reporting.picture(path.with_name(f"{path.name}.png"), lambda axes: _draw(axes, sides, found, title)),
        words=[_about(runs), *RULES],
    ).write(path.with_name(f"{path.name}.json"))  # fmt: skip


def _arrivals(runs: Sequence[Run], side: str, target: float) -> Arrivals:
    limit = runs[0]["work"]["limit"]
    times = {run["seed"]: first_at(run["curve"], target) for run in runs if run["side"] == side}
    return Arrivals(times, limit)


def _row(target: float, side: str, found: Arrivals, ours: Arrivals | None) -> list[Cell]:
    times = " ".join("–" if taken is None else f"{taken:.0f}" for _, taken in sorted(found.seconds.items()))
    compared = ratio(found, ours) if ours and ours is not found else None
    arrived = f"{found.count} of {len(found.seconds)}"
    return [f"{100 * target:g} %", side, arrived, found.typical(), times, str(compared) if compared else None]


def _about(runs: Sequence[Run]) -> str:
    work, loads = runs[0]["work"], [run["load"] for run in runs]
    seeds = ", ".join(str(seed) for seed in sorted({run["seed"] for run in runs}))
    return (
        f"The whole space of searchspace/{work['space']}.py on {work['source']}, {100 * work['validation']:.0f} % of "
        f"the rows validate, {work['epochs']} epochs, batch {work['batch_size']}, limit {work['limit'] / 60:g} min; "
        f"seeds {seeds}, each with a split of its own that all sides share. "
        f"Load before the runs: {min(loads):.1f} to {max(loads):.1f}."
    )


def _draw(axes: Any, sides: Sequence[str], found: dict[tuple[float, str], Arrivals], title: str) -> None:
    """A column of points for each target, a colour for each side; a triangle is a run that hit the limit."""
    from matplotlib.ticker import LogLocator

    targets = sorted({target for target, _ in found})
    for place, side in enumerate(sides):
        colour, shift = f"C{place % 10}", (place - (len(sides) - 1) / 2) * 0.8 / len(sides)
        axes.scatter([], [], color=colour, label=side)
        for column, target in enumerate(targets):
            for taken in found[target, side].seconds.values():
                marker, height = ("^", found[target, side].limit) if taken is None else ("o", taken)
                axes.scatter(column + shift, height, color=colour, marker=marker, s=22)
    axes.set_yscale("log", subs=[])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(len(targets)), [f"{100 * target:g} %" for target in targets])
    axes.set(ylabel="seconds from the command", xlabel="validation accuracy (▲: not within the limit)", title=title)
    axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
