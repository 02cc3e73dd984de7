"""Writes the ledger of a study of very many trials as a search would: long_study.py PROJECT TRIALS EPOCHS."""

import random
import sys
from contextlib import closing
from pathlib import Path

from hpsearch import files, paths
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.records import Answered, Asked, AttemptBegan, SessionBegan, SessionEnded, SpaceFound
from hpsearch.trial import Attempt, AttemptEnd, Built, Fit, How, Measure, Status, Trial, TrialResult
from instant_trials import SPACE

NAME = "long"


def write(root, trials, epochs, name=NAME):
    """Every third trial was stopped half-way by a pruner."""
    project, dice = paths.Project(root), random.Random(51)
    experiment = Experiment.model_validate(
        {
            "name": name, "model": {"build": "m:f"}, "search": {"trials": trials, "pruner": "asha"},
            "train": {"epochs": epochs},
        }
    )  # fmt: skip
    files.make(project.study(name).folder)
    with closing(Ledger(project.study(name).ledger)) as ledger:
        ledger.write(SessionBegan(name, experiment.model_dump(mode="json"), {}, (), {}))
        ledger.write(SpaceFound(SPACE))
        for number in range(trials):
            for body in _trial(number, epochs, dice):
                ledger.write(body)
        ledger.write(SessionEnded(finished=False, reason="enough"))
    return project


def _trial(number, epochs, dice):
    attempt, values, stopped = Attempt(Fit(number, number)), {}, number % 3 == 2
    yield Asked(Trial(number))
    yield AttemptBegan(attempt)
    for one in SPACE:
        if one.active(values):
            values[one.name] = _drawn(one, dice)
            yield Answered(number, one, values[one.name])
    yield Built(attempt, 1, "an instant model " * 30, "none")
    last, score = epochs // 2 if stopped else epochs, dice.random()
    for epoch in range(1, last + 1):
        reached = score * epoch / epochs
        metrics = {"loss": 1 - reached, "accuracy": reached, "val_loss": 1.1 - reached, "val_accuracy": reached}
        yield Measure(attempt, epoch, metrics, 0.1)
    how, status = (How.INTERRUPTED, Status.PRUNED) if stopped else (How.FINISHED, Status.COMPLETED)
    yield AttemptEnd(attempt, how, 2.0, reached, last, last, {"val_accuracy": reached})
    yield TrialResult(Trial(number, values), status, reached, last, 2.0, {"val_accuracy": reached})


def _drawn(parameter, dice):
    if parameter.choices:
        return dice.choice(parameter.choices)
    if parameter.kind == "float":
        return dice.uniform(parameter.low, parameter.high)
    return dice.randrange(int(parameter.low), int(parameter.high), 16)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
