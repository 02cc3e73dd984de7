"""A study's story as a search writes it, and processes that write it and die: for the tests of what is on disk."""

import os
import random
import subprocess
import sys
from pathlib import Path

from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.records import Answered, Asked, AttemptBegan, SessionBegan, SpaceFound
from hpsearch.space import Parameter
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, How, Measure, Status, Trial, TrialResult

X = Parameter("x", "float", 0.5, low=0.0, high=1.0)
EXPERIMENT = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, "search": {"trials": 50}})


def beginning():
    yield SessionBegan(
        "a", EXPERIMENT.model_dump(mode="json"), {"code": "c", "data": "d"}, ("m.py",), {"keras": "3.15.1"}
    )
    yield SpaceFound((X,))


def trial(number, epochs=4):
    x = random.Random(number).random()
    attempt = Attempt(Fit(number, number))
    yield Asked(Trial(number))
    yield AttemptBegan(attempt)
    yield Answered(number, X, x)
    yield Built(attempt, 1000, "a model " * 20, "graph")
    for epoch in range(1, epochs + 1):
        yield Measure(attempt, epoch, {"val_accuracy": x * epoch / epochs, "loss": 1 / epoch}, 0.5)
    yield AttemptEnd(attempt, How.FINISHED, 2.0, x, epochs, epochs, {"val_accuracy": x})
    yield TrialResult(Trial(number, {"x": x}), Status.COMPLETED, x, epochs, 2.0, {"val_accuracy": x})


def write(ledger, numbers):
    for number in numbers:
        for body in trial(number):
            ledger.write(body, durable=isinstance(body, AttemptBegan | TrialResult))


def a_study(folder, closed=20, left=10):
    """A ledger with two sessions: one that ended, and one that was killed and left a write-ahead log."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, __file__, str(folder), str(closed), str(left)], check=True)
    return folder / "ledger.db"


def _main(folder, closed, left):
    first = Ledger(folder / "ledger.db")
    for body in beginning():
        first.write(body)
    write(first, range(closed))
    first.close()
    second = Ledger(folder / "ledger.db")
    second.write(next(beginning()))
    write(second, range(closed, closed + left))
    os._exit(0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
