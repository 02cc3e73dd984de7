"""Runs one small search on the processor and on a card, and says how far scores and times differ.

For whoever has a card: `python benchmarks/gpu_check.py`. Exit code 0 without a card or when the two agree, 1 when
they do not. Each card is one slot, unless `--per-gpu 4` or so asks for more.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch import cards

ROOT = Path(__file__).parents[1]
SAME = {
    "search.tuner": "optuna.random", "search.trials": "6", "train.epochs": "4", "final.finalists": "1",
    "final.seeds": "1", "tracking.mlflow": "false",
}  # fmt: skip
BUILDS = ("searchspace.mlp:build_model_mlp", "searchspace.cnn:build_model_cnn")
LOSS, SCORE = 0.05, 0.05  # the first epoch's loss, as a share of it, and the score may differ so much
SLOWER = "the processor is quicker here; try more slots a card (--per-gpu), larger batches or larger models"


def main() -> int:
    """Compare each of the shipped search spaces on 5,000 images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-gpu", type=int, default=1, help="slots a card")
    per_gpu = parser.parse_args().per_gpu
    found = cards.usable()
    if not found.cards:
        print(f"no card here: {found.why}")
        return 0
    for card in found.cards:
        print(f"{card.model} ({card.visible})")
    return max(_compare(build, {"workers.gpus": "auto", "workers.per_gpu": str(per_gpu)}) for build in BUILDS)


def _compare(build: str, on_cards: Mapping[str, str]) -> int:
    here, there = (_searched(build, settings) for settings in ({"workers.gpus": "false"}, on_cards))
    pairs = list(zip(_trials(here), _trials(there), strict=True))
    loss = max(abs(_first_loss(one) / _first_loss(other) - 1) for one, other in pairs)
    score = max(abs(one["score"] - other["score"]) for one, other in pairs)
    agree = loss <= LOSS and score <= SCORE and all(one["values"] == other["values"] for one, other in pairs)
    ratio = here["searched"] / there["searched"]
    print(f"{build}, {len(pairs)} trials")
    print(f"  {here['searched']:.1f} s on the processor, {there['searched']:.1f} s on cards: {ratio:.2f} × as quick")
    print(f"  first loss differs by up to {loss:.2%}, score by {score:.4f}: {'as it should' if agree else 'TOO MUCH'}")
    if ratio < 1:
        print(f"  {SLOWER}")
    return 0 if agree else 1


def _searched(build: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """What `hpsearch run --json` says of the search, made in a project folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("experiments", "searchspace"):
            shutil.copytree(ROOT / name, Path(folder) / name)
        command = [sys.executable, "-m", "hpsearch", "run", "experiments/quickstart.toml", "--json"]
        for key, value in {**SAME, "model.build": build, "space": "{}", **settings}.items():
            command += ["--set", f"{key}={value}"]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)  # noqa: S603  # our own words
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts


def _trials(facts: Mapping[str, Any]) -> list[Any]:
    return sorted(facts["trials"], key=lambda trial: int(trial["number"]))


def _first_loss(trial: Mapping[str, Any]) -> float:
    return float(trial["curves"]["loss"][0][1])


if __name__ == "__main__":
    sys.exit(main())
