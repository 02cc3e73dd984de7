"""Draws the fixed configurations from searchspace/, once, by a published seed: python benchmarks/fixed/draw.py."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.space import Parameter, Value

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SEED = 2026
COUNT = 10
FIXED: dict[str, dict[str, "Value"]] = {
    "mlp": {},
    "cnn": {"augment": False, "preprocess": "none", "convolutions": 1},
}
"""Values that are not drawn: with augmentation or twice as many convolutions ten networks would take an hour."""


def main() -> None:
    """Write mlp.json and cnn.json beside this file: seed, space and a list of values."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for space, fixed in FIXED.items():
        drawn = [draw(space, f"{SEED}/{space}/{number}", fixed) for number in range(COUNT)]
        text = json.dumps({"space": space, "seed": SEED, "values": drawn}, indent=1)
        (HERE / f"{space}.json").write_text(text + "\n", encoding="utf-8")


def draw(space: str, seed: str, fixed: "dict[str, Value]") -> "dict[str, Value]":
    """Every value that the space asks for, each fixed, or drawn by KerasTuner's own rule from a seed of its own."""
    from hpsearch.worker.finding import find_build
    from hpsearch.worker.hp import AskingHyperParameters, to_keras_tuner
    from hpsearch.worker.task import Task

    task = Task((28, 28), 10, tuple("0123456789"), rows=50_000, epochs=5, batch_size=128)

    def answer(asked: "Parameter") -> "Value":
        drawn: Value = to_keras_tuner(asked).random_sample(f"{seed}/{asked.name}")
        return fixed.get(asked.name, drawn)

    hp = AskingHyperParameters(answer, task)
    find_build(ROOT, f"searchspace.{space}:build_model_{space}")(hp)
    return dict(hp.values)


if __name__ == "__main__":
    main()
