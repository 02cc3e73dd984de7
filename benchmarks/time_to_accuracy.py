"""Times how long each side takes from its command to a validation accuracy, each with its best algorithm.

python benchmarks/time_to_accuracy.py --task mnist-mlp --data FOLDER_WITH_MNIST
python benchmarks/time_to_accuracy.py --task emnist-mlp --data FOLDER_WITH_IDX --train emnist47-train --transposed

All sides get the same space file, rows, epochs and limit; a run ends as soon as the highest target is reached. Runs are
kept in results/time-to-accuracy.jsonl; a run that is there is not made again, so that sides and seeds can be measured
in pieces: --sides, --seeds.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import reporting
from arrivals import SLACK
from hpsearch.experiment import seconds
from runs import Run, Runs
from sides.job import Entry
from sides.running import Ran, heed_signals, possible, run_hpsearch, run_peer
from sides.setting import Setting, add_data_options, data_table, lay_out
from time_to_accuracy_report import report

KEY = ("side", "work", "seed")
SEEDS = (11, 12, 13, 14, 15)
OURS = "hpsearch:optuna.tpe:asha"
SIDES = (
    OURS,
    "hpsearch:optuna.tpe:asha:no-defaults",
    "hpsearch:optuna.tpe:median",
    "keras-tuner:random",
    "keras-tuner:hyperband",
    "keras-tuner:bayesian",
    "optuna:tpe",
    "optuna-2:tpe",
    "optuna-2:tpe-defaults",
    "optuna-2:tpe-halfway",
    "ray:tpe",
    "ray:tpe-halfway",
    "ray:random",
)

WRITTEN = f"hpsearch:TUNER:PRUNER[:no-defaults], {', '.join(side for side in SIDES if side[:3] != 'hps')}"


@dataclass(frozen=True)
class Task:
    """What is searched, on which images, how long a trial trains, and which accuracies are waited for."""

    space: str
    source: str
    epochs: int
    targets: tuple[float, ...]
    validation: float = 0.15


TASKS = {
    "mnist-mlp": Task("mlp", "mnist", 15, (0.97, 0.975, 0.98, 0.982)),
    "mnist-cnn": Task("cnn", "mnist", 8, (0.99, 0.992)),
    "emnist-mlp": Task("mlp", "idx", 20, (0.80, 0.82)),
}


def main() -> None:
    """Make the runs that are missing, then write a table and a picture of all that are there."""
    parser = _parser()
    options = parser.parse_args()
    _refuse_unknown(parser, options)
    heed_signals()
    options.sides = possible(options.sides)
    runs = Runs(options.out / "time-to-accuracy.jsonl", KEY)
    work = _work(options)
    for seed in options.seeds:
        for side in _in_turn(options.sides, seed):
            run = {"side": side, "work": work, "seed": seed}
            beside = [run for run in runs if run["work"] == work]
            if fresh := runs.make(run, partial(_measure, side, options, work, seed), beside):
                print(f"{options.task} seed {seed} {side:<28} {_brief(fresh)}", flush=True)
    asked_for = _work(parser.parse_args(["--task", options.task])) | {"train": options.train}
    other = [] if work == asked_for else [f"to-{100 * work['targets'][-1]:g}"]
    name = "-".join(["time-to-accuracy", options.task, *other])
    made = [run for run in runs if run["work"] == work]
    report(made, options.ours, options.out / name, _command(made))
    sys.exit(runs.broken)


def _in_turn(sides: Sequence[str], seed: int) -> list[str]:
    """The sides in this seed's order, in whatever pieces they are measured: none is the first under every seed."""
    all_sides = list(dict.fromkeys([*SIDES, *sides]))
    first = seed % len(all_sides)
    return [side for side in all_sides[first:] + all_sides[:first] if side in sides]


def _command(made: Sequence[Run]) -> str:
    """The command that makes all of a table that was made in pieces."""
    parts = [reporting.command("--sides", "--seeds", "--ours", "--out")]
    for option, asked, full in (("--seeds", _told(made, "seed"), SEEDS), ("--sides", _told(made, "side"), SIDES)):
        if set(asked) != set(map(str, full)):
            parts += [option, *asked]
    return " ".join(parts)


def _told(made: Sequence[Run], key: str) -> list[str]:
    return sorted({str(run[key]) for run in made})


def _refuse_unknown(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the program where a side is none, before the others have run for hours."""
    wrong = [side for side in options.sides if side not in SIDES and not side.startswith("hpsearch:")]
    if wrong:
        parser.error(f"there is no side {' or '.join(wrong)}; there are {WRITTEN}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    parser.add_argument("--task", choices=TASKS, default="mnist-mlp")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), metavar="LIBRARY:ALGORITHM",
                        help=WRITTEN)  # fmt: skip
    parser.add_argument("--ours", default=OURS, help="the side of hpsearch's that the others are compared with")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--targets", nargs="+", type=float, help="shares, such as 0.97")
    parser.add_argument("--limit", type=seconds, default=seconds("30m"), help="such as 30m")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--validation", type=float, help="share of the rows that validates")
    parser.add_argument("--out", type=Path, default=reporting.RESULTS)
    return parser


def _work(options: argparse.Namespace) -> dict[str, Any]:
    """All that a run's times depend on beside its side and seed."""
    task = TASKS[options.task]
    return {
        "task": options.task, "space": task.space, "source": options.source or task.source, "train": options.train,
        "validation": options.validation or task.validation, "epochs": options.epochs or task.epochs,
        "batch_size": options.batch, "targets": sorted(options.targets or task.targets), "limit": options.limit,
    }  # fmt: skip


def _measure(side: str, options: argparse.Namespace, work: dict[str, Any], seed: int) -> Run:
    library, _, algorithm = side.partition(":")
    setting = Setting(
        build=f"searchspace.{work['space']}:build_model_{work['space']}",
        data=data_table(options, work["source"], work["validation"]),
        epochs=work["epochs"], batch_size=work["batch_size"], seed=seed,
        search={"trials": 100_000} | (search_table(algorithm) if library == "hpsearch" else {}),
    )  # fmt: skip
    highest = work["targets"][-1]

    def enough(entry: Entry) -> bool:
        return bool(entry["what"] == "epoch" and entry["val_accuracy"] >= highest - SLACK)

    about = {"machine": reporting.machine(), "load": reporting.load()}
    with tempfile.TemporaryDirectory() as folder:
        experiment, job = lay_out(setting, Path(folder))
        if library == "hpsearch":
            return about | _figures(run_hpsearch(experiment, Path(folder), enough, work["limit"]))
        return about | _figures(run_peer(library, job.with_(algorithm=algorithm), enough, work["limit"]))


def search_table(algorithm: str) -> dict[str, Any]:
    """What TUNER:PRUNER, or TUNER:PRUNER:no-defaults, puts into [search]."""
    tuner, pruner, *rest = [*algorithm.split(":"), "none"]
    search: dict[str, Any] = {"tuner": tuner, "pruner": pruner}
    return search | ({"tuner_options.defaults_first": False} if "no-defaults" in rest else {})


def _figures(ran: Ran) -> dict[str, Any]:
    """The best accuracy so far against the seconds since the command, and how much was trained."""
    curve: list[tuple[float, float]] = []
    noted = [entry for entry in ran.entries if entry["what"] == "epoch"]
    for entry in noted:
        if not curve or entry["val_accuracy"] > curve[-1][1]:
            curve.append((round(entry["seconds_in"], 2), entry["val_accuracy"]))
    trials = len({entry["trial"] for entry in noted})
    return {"curve": curve, "ended": ran.ended, "seconds": ran.seconds, "epochs": len(noted), "trials": trials}


def _brief(run: Run) -> str:
    best = f"{100 * run['curve'][-1][1]:.2f} % after {run['curve'][-1][0]:.0f} s" if run["curve"] else "nothing"
    return (
        f"{best}; {run['trials']} trials, {run['epochs']} epochs, ended: {run['ended']}, load before {run['load']:.1f}"
    )


if __name__ == "__main__":
    main()
