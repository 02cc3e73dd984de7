"""Measures on an experiment what the pruners save, and how likely they stop the best trial.

    python benchmarks/pruning.py experiments/mnist_mlp.toml --trials 24

trains random trials of the experiment's own space to their end (the same command goes on after Ctrl-C), compares
their ranks at the rungs with those at the end, and replays their curves to each pruner in random orders.
It writes pruning-NAME.json and pruning-NAME.png; with --read FILE.json nothing is trained.
Every trial's process imports this file, so what is heavy is imported inside functions.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

from hpsearch import paths, plugins
from hpsearch.errors import Interrupted
from hpsearch.objective import Objective
from pruning_replay import Curve, Figures, best_of, interval, judge

RESULTS = Path(__file__).parent / "results"
EARLY = (3, 9, 27)  # where ASHA judges from epoch 3 on, beside half-way
VARIANTS = {
    "asha, from 3": ("asha", {"min_epochs": 3}),
    "asha, from 3 by 2": ("asha", {"min_epochs": 3, "reduction_factor": 2}),
}
FEWEST = 20
RESAMPLES = 1000


def main() -> None:
    """Train or read the trials, judge the pruners by them, and write it down."""
    given = _arguments()
    found = json.loads(given.read.read_text()) if given.read else _measured(given)
    measured = [Curve(tuple(one["scores"]), one["warmup"]) for one in found["curves"]]
    if len(measured) < FEWEST:
        print(f"only {len(measured)} trials ran to their end; {FEWEST} are the least to judge by")
    objective = Objective.parse(found["objective"])
    rungs = sorted({*EARLY, ceil(found["epochs"] / 2)})
    found["rungs"] = [_agreement(measured, objective, rung) for rung in rungs if rung < found["epochs"]]
    judged = {name: judge(_maker(*contender), measured, objective) for name, contender in _contenders().items()}
    found["pruners"] = {name: asdict(figures) for name, figures in judged.items()}
    _print(found, judged)
    given.out.mkdir(parents=True, exist_ok=True)
    stem = given.out / f"pruning-{found['experiment']}"
    stem.with_suffix(".json").write_text(json.dumps(_rounded(found), indent=1) + "\n")
    _draw(found, judged, stem.with_suffix(".png"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="an experiment file")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--read", type=Path, help="judge the curves of an earlier result again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for the results")
    given = parser.parse_args()
    if (given.file is None) == (given.read is None):
        parser.error("name an experiment file, or --read an earlier result")
    return given


def _measured(given: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from hpsearch.loading import load
    from pruning_trials import curves, train, unpruned

    project = paths.Project.around(given.file.absolute().parent)
    asked = load(given.file, project, given.sets)
    experiment = unpruned(asked, given.trials)
    train(experiment, project)
    found, provenance = curves(experiment, project)
    with np.load(next(project.study(experiment.name).splits.glob("*.npz"))) as split:
        rows = {part: len(split[part]) for part in ("train", "validation")}
    return {
        "experiment": asked.name, "objective": asked.search.objective, "epochs": asked.train.epochs, "rows": rows,
        "provenance": provenance, "curves": [asdict(curve) for curve in found],
    }  # fmt: skip


def _contenders() -> dict[str, tuple[str, dict[str, Any]]]:
    shipped: dict[str, tuple[str, dict[str, Any]]] = {
        name: (name, {}) for name in plugins.known("pruners") if name != "none"
    }
    return shipped | VARIANTS


def _maker(name: str, options: dict[str, Any]) -> Any:
    return lambda: plugins.make("pruners", name, options)


def _agreement(measured: Sequence[Curve], objective: Objective, rung: int) -> dict[str, Any]:
    """How well the best score up to a rung ranks the trials by their best score of all."""
    import numpy as np
    from scipy.stats import kendalltau, spearmanr

    pairs = np.array([[best_of(c.scores[:rung], objective), best_of(c.scores, objective)] for c in measured])
    generator = np.random.default_rng(rung)
    drawn = [pairs[generator.integers(len(pairs), size=len(pairs))] for _ in range(RESAMPLES)]
    found: dict[str, Any] = {"epoch": rung}
    for name, correlation in (("spearman", spearmanr), ("kendall", kendalltau)):
        found[name] = float(correlation(*pairs.T).statistic)
        found[f"{name}_interval"] = interval([float(correlation(*pair.T).statistic) for pair in drawn])
    return found


def _print(found: dict[str, Any], judged: dict[str, Figures]) -> None:
    rows = found["rows"]
    print(f"\n{found['experiment']}: {len(found['curves'])} trials of {found['epochs']} epochs", end=" ")
    print(f"on {rows['train']:,} rows, {rows['validation']:,} to validate\n")
    print("| rung | Spearman | 95 % | Kendall | 95 % |\n|---|---|---|---|---|")
    for rung in found["rungs"]:
        cells = [f"{rung[name]:.2f} | {_span(rung[f'{name}_interval'])}" for name in ("spearman", "kendall")]
        print(f"| {rung['epoch']} | {' | '.join(cells)} |")
    print("\n| pruner | epochs saved | 95 % | best stopped | 95 % | score lost | 95 % | lost by fewer trials |")
    print("|---|---|---|---|---|---|---|---|")
    for name, one in judged.items():
        shares = f"{one.saved:.0%} | {_span(one.saved_interval, '.0%')} | {one.best_stopped:.0%}"
        lost = f"{_span(one.best_stopped_interval, '.0%')} | {one.loss:.4f} | {_span(one.loss_interval, '.4f')}"
        lost += f" | {one.loss_by_fewer:.4f}"
        print(f"| {name} | {shares} | {lost} |")


def _span(between: tuple[float, float], spec: str = ".2f") -> str:
    return " … ".join(f"{edge:{spec}}" for edge in between)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value


def _draw(found: dict[str, Any], judged: dict[str, Figures], file: Path) -> None:
    """The curves, the better the darker, and what each pruner saves against how often it stops the best."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    objective, (figure, (left, right)) = Objective.parse(found["objective"]), plt.subplots(1, 2, figsize=(11, 4))
    ordered = sorted(found["curves"], key=lambda one: objective.key(best_of(one["scores"], objective)), reverse=True)
    for place, one in enumerate(ordered):
        left.plot(range(1, found["epochs"] + 1), one["scores"], color=plt.cm.viridis_r((place + 1) / len(ordered)))
    for rung in found["rungs"]:
        left.axvline(rung["epoch"], color="grey", linewidth=0.6, linestyle=":")
    left.set(xlabel="epoch", ylabel=objective.metric, title=f"{found['experiment']}: the darker, the better in the end")
    for name, one in judged.items():
        point = [one.saved], [one.best_stopped]
        bars = {
            key: np.abs(np.array(edges)[:, None] - middle)
            for key, edges, middle in (
                ("xerr", one.saved_interval, one.saved),
                ("yerr", one.best_stopped_interval, one.best_stopped),
            )
        }
        right.errorbar(*point, **bars, fmt="o", capsize=3, label=name)
    right.set(xlabel="share of epochs saved", ylabel="chance that the best was stopped", xlim=(0, 1), ylim=(-0.02, 1))
    right.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    try:
        main()
    except Interrupted as told:
        print(told, file=sys.stderr)
        sys.exit(told.exit_code)
