"""Turns the runs of same_work.py into tables, ratios and pictures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import reporting
from reporting import Cell, Result
from runs import Run, one_machine

OURS, PLAIN, ALONE, LATE = "hpsearch", "keras", "one-thread", "ray"
GOALS = {
    ("mlp", 32): "at least 4 times as fast as KerasTuner",
    ("mlp", 128): "at least 3 times as fast as KerasTuner",
    ("cnn", 32): "90 % of what as many one-thread graph loops as there are cores would do",
    ("cnn", 128): "90 % of what as many one-thread graph loops as there are cores would do",
}
ASKED_FOR = {"mlp": (10, 5), "cnn": (10, 2)}  # configurations and epochs
COLUMNS = (
    "side", "runs", "to the last trial, median s", "min s", "× hpsearch, medians", "× hpsearch, minima",
    "search alone, median s", "× hpsearch, search alone", "whole command, median s",
    "mean val. accuracy, %", "off the plain loop's, points",
)  # fmt: skip
MEANS = (
    "To the last trial: from the start of the command, imports included, to the last validation of the last trial.",
    (
        "Search alone: without imports and reading; for hpsearch, its study's own clock. Ray's workers import and read "
        "when its search has begun, so that there is no such figure."
    ),
    (
        "Whole command: for hpsearch it also holds the finals (one fit), the look at the test split, the model and the "
        "report, which no peer makes."
    ),
    (
        "Off the plain loop's: the mean of the differences between the last validation accuracies, configuration by "
        "configuration; that it is small says that the same work was done."
    ),
    (
        "All sides validate in the same batches; peers keep images as float32 in memory, write no logs, and clear each "
        "model away before the next. Sides with one process leave TensorFlow all its threads."
    ),
)


def report(runs: Iterable[Run], folder: Path, command: str) -> None:
    """Write a JSON file and a picture for each kind of work."""
    kinds: dict[str, list[Run]] = {}
    for run in runs:
        kinds.setdefault(repr(run["work"]), []).append(run)
    for group in kinds.values():
        _one(group, folder, command)


def _one(group: Sequence[Run], folder: Path, command: str) -> None:
    work, sides = group[0]["work"], _by_side(group)
    name = "-".join(["same-work", work["space"], str(work["batch_size"]), *_small(work)])
    title = f"The same work: {work['configurations']} {work['space'].upper()}s, batch {work['batch_size']}"
    about = f"{work['source']}, {work['epochs']} epochs each, {work['validation']:.2g} of the rows validate."
    loads = [run["load"] for run in group]
    quiet = f"Load before the runs: {min(loads):.1f} to {max(loads):.1f}."
    plot = reporting.picture(folder / f"{name}.png", lambda axes: _draw(axes, sides, title))
    asked = f"--space {work['space']} --batch {work['batch_size']} --rounds {1 + max(run['round'] for run in group)}"
    Result(
        title=title, command=f"{command} {asked}", columns=COLUMNS,
        rows=[_row(side, sides) for side in sides if side != ALONE],
        predicted=GOALS.get((work["space"], work["batch_size"]), ""), machine=one_machine(group), plot=plot,
        words=[about, *_share(sides), quiet, *MEANS],
    ).write(folder / f"{name}.json")  # fmt: skip


def _small(work: Mapping[str, Any]) -> list[str]:
    """What marks a trial run apart from the published work."""
    asked_for = (work["source"], work["configurations"], work["epochs"]) == ("mnist", *ASKED_FOR[work["space"]])
    return [] if asked_for else [f"{work['configurations']}x{work['epochs']}", work["source"]]


def _by_side(group: Sequence[Run]) -> dict[str, list[Run]]:
    sides: dict[str, list[Run]] = {}
    for run in sorted(group, key=lambda run: run["side"] != OURS):
        sides.setdefault(run["side"], []).append(run)
    return sides


def _row(side: str, sides: Mapping[str, list[Run]]) -> list[Cell]:
    ours, theirs, plain = sides.get(OURS, []), sides[side], sides.get(PLAIN, [])
    seconds = [run["to_last_trial"] for run in theirs]
    return [
        side, len(theirs), median(seconds), min(seconds),
        _times(theirs, ours, "to_last_trial", median),
        _times(theirs, ours, "to_last_trial", min) if len(theirs) == len(ours) else None,  # more runs, lower minima
        *([None, None] if side == LATE else _alone(theirs, ours)),
        median([run["whole"] for run in theirs]), 100 * fmean(_accuracies(theirs)), _off(theirs, plain),
    ]  # fmt: skip


def _alone(theirs: Sequence[Run], ours: Sequence[Run]) -> list[Cell]:
    return [median([run["search_alone"] for run in theirs]), _times(theirs, ours, "search_alone", median)]


def _times(theirs: Sequence[Run], ours: Sequence[Run], what: str, middle: Any) -> Cell:
    if not ours:
        return None
    return float(middle([run[what] for run in theirs]) / middle([run[what] for run in ours]))


def _accuracies(runs: Sequence[Run]) -> list[float]:
    """Each configuration's mean over the rounds."""
    return [fmean(found) for found in zip(*(run["accuracies"] for run in runs), strict=True)]


def _off(theirs: Sequence[Run], plain: Sequence[Run]) -> Cell:
    if not plain:
        return None
    pairs = zip(_accuracies(theirs), _accuracies(plain), strict=True)
    return 100 * fmean(one - other for one, other in pairs)


def _share(sides: Mapping[str, list[Run]]) -> list[str]:
    """What hpsearch's search reaches of the rate of as many one-thread loops as there are cores."""
    if ALONE not in sides or OURS not in sides:
        return []
    everything = median([run["search_alone"] for run in sides[ALONE]])
    epochs = median([_summed(run) for run in sides[ALONE]])
    searched = median([run["search_alone"] for run in sides[OURS]])
    busy = median([_summed(run) for run in sides[OURS]])
    hands = sides[OURS][0]["machine"]["cores"]
    idle = median([_idle_at_end(run, hands) for run in sides[OURS]])
    ideal = everything / hands
    alone = f"One thread of the graph loop, alone on the machine, takes {everything:.1f} s for this work"
    reached = f"The search took {searched:.1f} s: {_percent(ideal, searched)} of that rate"
    return [
        f"{alone}, {epochs:.1f} s of it for epochs and the rest for building and tracing.",
        f"{hands} times that rate would take {ideal:.1f} s.",
        f"{reached}, building and tracing on both sides.",
        f"Workers were in an epoch {_percent(busy / hands, searched)} of the search.",
        f"Their epochs took {busy / epochs:.2f} times as long as those of the thread alone.",
        f"At its end workers had no configuration left, for {idle:.1f} s taken together.",
        f"Without these seconds it reached {_percent(everything, hands * searched - idle)} of that rate.",
    ]


def _idle_at_end(run: Run, hands: int) -> float:
    """Seconds, summed over the workers, from the last epoch of each to the last epoch of all."""
    *others, last = sorted(run["ends"])[-hands:]
    return float(sum(last - end for end in others))


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"


def _summed(run: Run) -> float:
    return float(sum(seconds for _, _, seconds in run["epoch_seconds"]))


def _draw(axes: Any, sides: Mapping[str, list[Run]], title: str) -> None:
    names = [side for side in sides if side != ALONE]
    found = [[run["to_last_trial"] for run in sides[side]] for side in names]
    middles = [median(seconds) for seconds in found]
    reach = [[middle - min(seconds) for middle, seconds in zip(middles, found, strict=True)],
             [max(seconds) - middle for middle, seconds in zip(middles, found, strict=True)]]  # fmt: skip
    colours = ["#c44e52" if side == OURS else "#8c9bb0" for side in names]
    bars = axes.barh(names, middles, xerr=reach, color=colours, height=0.6, capsize=3)
    axes.bar_label(bars, [f"{middle:.0f} s" for middle in middles], padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel="seconds from the command to the end of the last trial (median, minimum, maximum)", title=title)
