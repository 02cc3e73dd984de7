"""Trains trials twice, one of the two interrupted at random moments, and says whether both end bit for bit alike.

python tests/twins.py --trials 100 --seed 0

Both are real fits of the shipped search spaces in real processes. An interruption is a kill -9 of the worker or a
stop, at any moment: while the graph is traced, in an epoch, while a checkpoint is written. Then the fit goes on in
a fresh process, as it does for the program. Compared are every epoch's metrics, the end, the last checkpoint (weights,
optimizer, random states) and the best epoch's weights.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hpsearch.executors.local import Local
from hpsearch.objective import Objective
from hpsearch.orders import Order, Question, Recipe
from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Measure
from hpsearch.worker import checkpoint

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ("searchspace.mlp:build_model_mlp", "searchspace.cnn:build_model_cnn")
LOOPS: tuple[Literal["graph", "fit"], ...] = ("graph", "fit")
EPOCHS, BATCH, ROWS, HELD_OUT, CLASSES = 4, 32, 400, 80, 10
MOST_INTERRUPTIONS = 3


@dataclass
class Story:
    """What was heard of one fit over all its attempts."""

    measures: dict[int, dict[str, float]] = field(default_factory=dict)
    end: AttemptEnd | None = None
    seconds: float = 0.0
    kills: int = 0
    stops: int = 0


def lay_out(folder: Path) -> None:
    """Write a small data set, of ten kinds of noise, and its split."""
    generator = np.random.default_rng(1)
    labels = np.arange(ROWS + HELD_OUT) % CLASSES
    images = generator.integers(0, 120, (len(labels), 28, 28)) + 13 * labels[:, None, None]
    (folder / "data" / "train").mkdir(parents=True)
    np.save(folder / "data" / "train" / "images.npy", images.astype(np.uint8))
    np.save(folder / "data" / "train" / "labels.npy", labels)
    np.savez(folder / "split.npz", train=np.arange(ROWS), validation=np.arange(ROWS, len(labels)))


class Twins:
    """Trains pairs of fits over the data in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = tuple(map(str, range(CLASSES)))

    def part(self, number: int, seed: int) -> tuple[list[str], Story]:
        """Train one pair; give what differs (nothing, one hopes) and the interrupted one's story."""
        chance = random.Random(f"{seed} {number}")
        build, loop, fit = BUILDS[number % 2], LOOPS[number // 2 % 2], Fit(number, chance.getrandbits(31))
        quiet, harmed = (self._recipe(kind, build, loop) for kind in ("quiet", "harmed"))
        values: Values = {}
        straight = self._train(quiet, fit, values, chance, ())
        moments = [chance.uniform(0, straight.seconds) for _ in range(chance.randint(1, MOST_INTERRUPTIONS))]
        broken = self._train(harmed, fit, dict(values), chance, moments)
        return differences(straight, broken, quiet.fits / fit.name, harmed.fits / fit.name), broken

    def _recipe(self, kind: str, build: str, loop: Literal["graph", "fit"]) -> Recipe:
        objective, data = Objective("max", "val_accuracy"), self._folder / "data"
        return Recipe(
            ROOT, build, data, self._folder / kind, self._names, objective, EPOCHS, (BATCH,), loop=loop
        )  # fmt: skip

    def _train(
        self, recipe: Recipe, fit: Fit, values: Values, chance: random.Random, moments: "list[float] | tuple[()]"
    ) -> Story:
        """Attempt after attempt until one ends by itself; each of the first is interrupted after its moment."""
        story, waiting = Story(), list(moments)
        local = Local(1)
        try:
            local.open(recipe)
            for number in range(1, len(moments) + 2):
                attempt = Attempt(fit, number)
                local.submit(Order(attempt, self._folder / "split.npz", dict(values)))
                end = _hear(local, attempt, values, chance, story, waiting.pop(0) if waiting else None)
                if end.how is How.FINISHED:
                    story.end = replace(end, attempt=Attempt(fit), seconds=0.0)
                    return story
        finally:
            local.close()
        raise AssertionError(story)


def _hear(
    local: Local, attempt: Attempt, values: Values, chance: random.Random, story: Story, moment: float | None
) -> AttemptEnd:
    began, told = time.monotonic(), False
    while True:
        passed = time.monotonic() - began
        if moment is not None and passed >= moment and not told:
            told = True
            _interrupt(local, attempt, chance, story)
        for event in local.events(0.02):
            match event:
                case Question(_, parameter):
                    values.setdefault(parameter.name, choose(parameter, chance))
                    local.answer(attempt, values[parameter.name])
                case Measure(_, epoch, metrics):
                    said = story.measures.setdefault(epoch, dict(metrics))
                    if said != dict(metrics):
                        story.measures[epoch] = {"told differently": float(epoch)}
                case AttemptEnd():
                    story.seconds += time.monotonic() - began
                    return event


def _interrupt(local: Local, attempt: Attempt, chance: random.Random, story: Story) -> None:
    if chance.random() < 0.25:
        story.stops += 1
        local.stop(attempt, "interrupted", at_once=True)
        return
    story.kills += 1
    local._busy[attempt].process.kill()


def choose(parameter: Parameter, chance: random.Random) -> Value:
    """Any value of the parameter; layers stay narrow, to be quick."""
    if parameter.kind in {"choice", "boolean"}:
        return chance.choice(parameter.choices or (False, True))
    if parameter.kind == "fixed" or parameter.low is None or parameter.high is None:
        return parameter.default
    if parameter.kind == "float":
        return chance.uniform(parameter.low, parameter.high)
    return min(int(parameter.low) + int(parameter.step or 1) * chance.randint(0, 1), int(parameter.high))


def differences(straight: Story, broken: Story, quiet: Path, harmed: Path) -> list[str]:
    """In what two fits that should be the same are not."""
    found = [f"epoch {epoch}" for epoch, said in straight.measures.items() if broken.measures.get(epoch) != said]
    if straight.end != broken.end:
        found.append(f"the end: {straight.end} and {broken.end}")
    if (quiet / "best.bin").read_bytes() != (harmed / "best.bin").read_bytes():
        found.append("the best weights")
    one, other = (checkpoint.load(folder / "checkpoint.bin") for folder in (quiet, harmed))
    if one is None or other is None:
        return [*found, "no checkpoint"]
    return found + [
        f"array {place} of the checkpoint"
        for place, (was, now) in enumerate(zip(one.arrays, other.arrays, strict=True))
        if was.tobytes() != now.tobytes()
    ]


def main() -> int:
    """Train so many pairs and print how many were alike; 1 when any was not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    unlike, kills, stops = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        twins = Twins(Path(folder))
        for number in range(options.trials):
            found, story = twins.part(number, options.seed)
            unlike, kills, stops = unlike + bool(found), kills + story.kills, stops + story.stops
            print(f"{number + 1:>4} of {options.trials}: {'; '.join(found) or 'alike'}", file=sys.stderr, flush=True)
    print(
        json.dumps({"trials": options.trials, "unlike": unlike, "kills": kills, "stops": stops, "seed": options.seed})
    )
    return int(unlike > 0)


if __name__ == "__main__":
    sys.exit(main())
