"""Runs one experiment with folds twice, with and without the race, and says what the race saved and what it cost.

python benchmarks/racing_study.py experiments/emnist_mlp_cv.toml --name mnist-5k --set data.source=mnist-5k

Both studies are real, have the same seed and make the same fits, so that the one without the race tells what the
dropped trials would have come to. Both go on where they were stopped.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from pages import put, table

HERE = Path(__file__).resolve().parent


def run(file: Path, folder: Path, name: str, words: list[str]) -> None:
    """Search, and leave the finals away as far as that goes: one finalist, one seed."""
    one = ["--set", "final.finalists=1", "--set", "final.seeds=1", "--set", "tracking.mlflow=false"]
    command = [sys.executable, "-m", "hpsearch", "run", str(file), "--name", name, "--plain", *one, *words]
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)  # noqa: S603  # our own words


def shown(folder: Path, name: str) -> dict[str, Any]:
    """The study's facts."""
    command = [sys.executable, "-m", "hpsearch", "show", name, "--json"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603  # our own words
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def compared(raced: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """What the race saved, and whether what it dropped was worth keeping."""
    truth = {trial["number"]: trial for trial in whole["trials"]}
    dropped = [trial["number"] for trial in raced["trials"] if trial["status"] == "pruned"]
    kept = [trial["number"] for trial in raced["trials"] if trial["status"] == "completed"]
    best, found = (max(numbers, key=lambda number: truth[number]["score"]) for numbers in (truth, kept))
    both = (("with", raced), ("without", whole))
    return {
        "name": whole["experiment"]["name"].removesuffix("-race-false"),
        "trials": len(truth),
        "folds": whole["experiment"]["data"]["folds"],
        "dropped": len(dropped),
        "fits": {race: sum(len(trial["scores"]) for trial in study["trials"]) for race, study in both},
        "best": [best, truth[best]["score"]],
        "found": [found, truth[found]["score"]],
        "best_dropped": max((truth[number]["score"] for number in dropped), default=None),
        "dropped_mean": fmean([truth[number]["score"] for number in dropped]) if dropped else None,
        "same_folds": all(
            trial["scores"][name] == truth[trial["number"]]["scores"][name]
            for trial in raced["trials"] for name in trial["scores"]
        ),
    }  # fmt: skip


def main() -> None:
    """Run both studies and write down what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--name", required=True, help="of the studies and of the file in results/")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the studies are kept")
    parser.add_argument("--set", action="append", default=[], help="as for hpsearch run")
    options = parser.parse_args()
    file, name = options.experiment.resolve(), options.name
    words = [word for one in options.set for word in ("--set", one)]
    words += ["--set", f"search.trials={options.trials}"]
    names = {race: f"{name}-race-{race}" for race in ("true", "false")}
    os.environ["MPLBACKEND"] = "agg"
    for race, study in names.items():
        run(file, options.folder, study, [*words, "--set", f"search.race={race}"])
    found = compared(*(shown(options.folder, study) for study in names.values()))
    (HERE / "results" / f"racing-{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    put(HERE.parent / "docs" / "racing.md", "measured", page([json.loads(file.read_text()) for file in measured()]))


def measured() -> list[Path]:
    """What was measured so far."""
    return sorted((HERE / "results").glob("racing-*.json"))


def page(studies: list[dict[str, Any]]) -> str:
    """What was measured, as a table; of all trials the scores are those of the study without the race."""
    head = ["study", "trials", "folds", "dropped", "fits with", "without", "the race's winner"]
    rows = [
        [
            one["name"], one["trials"], one["folds"], one["dropped"],
            one["fits"]["with"], one["fits"]["without"],
            f"trial {one['found'][0]}, {one['found'][1]:.4f}", f"trial {one['best'][0]}, {one['best'][1]:.4f}",
            "none" if one["best_dropped"] is None else f"{one['best_dropped']:.4f}",
        ]
        for one in studies
    ]  # fmt: skip
    return table([*head, "the best without it", "the best that was dropped, in full"], rows)


if __name__ == "__main__":
    main()
