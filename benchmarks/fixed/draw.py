"""Draws the fixed configurations from searchspace/, once, by a published seed: python benchmarks/fixed/draw.py."""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SEED = 2026
COUNTS = {"mlp": 10, "cnn": 4}


def main() -> None:
    """Write mlp.json and cnn.json beside this file: seed, space and a list of values."""
    for space, count in COUNTS.items():
        drawn = [draw(space, f"{SEED}/{space}/{number}") for number in range(count)]
        text = json.dumps({"space": space, "seed": SEED, "values": drawn}, indent=1)
        (HERE / f"{space}.json").write_text(text + "\n", encoding="utf-8")


def draw(space: str, seed: str) -> dict[str, object]:
    """Every value that the space asks for, each drawn by KerasTuner's own rule from a seed of its own."""
    from hpsearch.worker.building import find_build
    from hpsearch.worker.hp import AskingHyperParameters, to_keras_tuner
    from hpsearch.worker.task import Task

    task = Task((28, 28), 10, tuple("0123456789"), rows=50_000, epochs=5, batch_size=128)
    hp = AskingHyperParameters(lambda asked: to_keras_tuner(asked).random_sample(f"{seed}/{asked.name}"), task)
    find_build(ROOT, f"searchspace.{space}:build_model_{space}")(hp)
    return dict(hp.values)


if __name__ == "__main__":
    main()
