"""Times the same configurations, epochs and batches through hpsearch and its peers, side by side in one run.

python benchmarks/same_work.py --space mlp --batch 32 128 --rounds 3 --data FOLDER_WITH_MNIST

Every run is a process of its own, one after another, the order rotated from round to round. Runs are kept in
results/same-work.jsonl; a run that is there is not made again, so that a long benchmark can be made in pieces.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import reporting
from runs import Broken, Run, Runs
from same_work_report import report
from sides.job import Entry
from sides.running import PEERS, Ran, heed_signals, possible, run_hpsearch, run_peer
from sides.setting import Setting, add_data_options, data_table, lay_out

FIXED = Path(__file__).parent / "fixed"
EPOCHS = {"mlp": 5, "cnn": 2}
VALIDATION = 1 / 6  # of MNIST's 60,000 rows: 50,000 train
SEED = 2  # the split's; and with it hpsearch's random search comes across all ten numbers
KEY = ("side", "work", "round")
SIDES = ("hpsearch", *PEERS)
FAR = 24 * 3600.0


def main() -> None:
    """Make the runs that are missing, then write tables and pictures of all that are there."""
    options = _options()
    heed_signals()
    options.sides = possible(options.sides)
    runs = Runs(options.out / "same-work.jsonl", KEY)
    for space in options.space:
        for batch_size in options.batch:
            _compare(options, space, batch_size, runs)
    command = reporting.command("--sides", "--space", "--batch", "--rounds", "--out")
    report(_asked_for(runs, options), options.out, command)
    sys.exit(runs.broken)


def _asked_for(runs: Runs, options: argparse.Namespace) -> list[Run]:
    return [run for run in runs if run["work"]["space"] in options.space and run["work"]["batch_size"] in options.batch]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser, "mnist")
    parser.add_argument("--space", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--batch", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="5 for perceptrons and 2 for convolutions, unless given")
    parser.add_argument("--configurations", type=int, default=10, help="take the first so many of the fixed ones")
    parser.add_argument("--validation", type=float, default=VALIDATION, help="share of the rows that validates")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=reporting.RESULTS)
    return parser.parse_args()


def _compare(options: argparse.Namespace, space: str, batch_size: int, runs: Runs) -> None:
    fixed = json.loads((FIXED / f"{space}.json").read_text(encoding="utf-8"))
    fixed["values"] = fixed["values"][: options.configurations]
    count = len(fixed["values"])
    setting = Setting(
        build="configured:build_model", data=data_table(options, options.source, options.validation),
        epochs=options.epochs or EPOCHS[space], batch_size=batch_size, seed=options.seed,
        search={"tuner": "keras-tuner.random", "trials": count}, fixed=json.dumps(fixed), count=count,
    )  # fmt: skip
    work = {
        "space": space, "batch_size": batch_size, "epochs": setting.epochs, "configurations": count,
        "source": options.source, "validation": round(options.validation, 4), "seed": options.seed,
    }  # fmt: skip
    sides = [side for side in SIDES if side in options.sides and (side != "one-thread" or space == "cnn")]
    for number in range(options.rounds):
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            run = {"side": side, "work": work, "round": number}
            if made := runs.make(run, partial(_measure, side, setting), _asked_for(runs, options)):
                print(f"{space} batch {batch_size} round {number} {side:<12} {_brief(made)}", flush=True)


def _measure(side: str, setting: Setting) -> Run:
    about = {"machine": reporting.machine(), "load": reporting.load()}
    with tempfile.TemporaryDirectory() as folder:
        experiment, job = lay_out(setting, Path(folder))
        if side == "hpsearch":
            ran = run_hpsearch(experiment, Path(folder), _never, FAR)
        else:
            ran = run_peer(side, job, _never, FAR)
    return about | _figures(ran, setting.count, setting.epochs)


def _never(_entry: Entry) -> bool:
    return False


def _figures(ran: Ran, count: int, epochs: int) -> dict[str, Any]:
    """The seconds of a run, and each configuration's validation accuracy after its last epoch."""
    noted = [entry for entry in ran.entries if entry["what"] == "epoch"]
    last = noted[-1] if noted else {}
    accuracies = {entry["configuration"]: entry["val_accuracy"] for entry in noted if entry["epoch"] == epochs}
    if len(noted) != count * epochs or len(accuracies) != count:
        found = f"{len(accuracies)} of {count} configurations were trained, in {len(noted)} epochs"
        message = f"{found}; with another --seed hpsearch's random search may come across all"
        raise Broken(message)
    began = next((entry["seconds_in"] for entry in ran.entries if entry["what"] == "began"), 0.0)
    return {
        "to_last_trial": last["seconds_in"],
        "search_alone": last.get("searched", last["seconds_in"] - began),
        "whole": ran.seconds,
        "epoch_seconds": [[entry["configuration"], entry["epoch"], entry.get("seconds")] for entry in noted],
        "ends": [entry["seconds_in"] for entry in noted if entry["epoch"] == epochs],
        "accuracies": [accuracies[number] for number in range(count)],
    }


def _brief(run: Run) -> str:
    seconds = f"{run['to_last_trial']:7.1f} s to the last trial, {run['whole']:7.1f} s in all"
    return f"{seconds}, load before {run['load']:.1f}"


if __name__ == "__main__":
    main()
