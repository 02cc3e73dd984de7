"""Imported where workers are forked from, in place of TensorFlow: trains by a formula, and keeps a diary.

The weight of a model is a chain: each epoch's is made of the last one's, so that an epoch that is lost, or trained
twice, shows in every later score. The diary (HISTORY, if the environment names one) is written by workers alone, a
line an event, and knows nothing of the ledger.
"""

import json
import os
import signal
import time
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fake_space import SPACE

from hpsearch import failpoints, hits
from hpsearch.trial import Built
from hpsearch.worker import checkpoint, fit, hand, keeping, orphans, place, wire  # noqa: F401  here, they are forked with
from hpsearch.worker.tether import die_with_parent, settle

ROWS = 400  # of the data set
EPOCH_SECONDS = float(os.environ.get("FAKE_EPOCH_SECONDS", "0.01"))

settle()
orphans.adopt()
orphans.end_all_without_parent()
die_with_parent(signal.SIGTERM)


def note(what: str, attempt: Any, **more: Any) -> None:
    """Write a line into the diary, whole or (when killed) not at all."""
    if diary := os.environ.get("HISTORY"):
        about = {"what": what, "fit": attempt.fit.name, "attempt": attempt.number, "pid": os.getpid()}
        line = json.dumps(about | {"at": time.monotonic()} | more) + "\n"
        file = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, line.encode())
        os.close(file)


class Model:
    """One weight in place of a network's."""

    def __init__(self, values: Any, seed: int) -> None:
        self.weight = sha256(f"{sorted(values.items())} {seed}".encode()).digest()

    def learn(self, epoch: int) -> float:
        self.weight = sha256(self.weight + bytes([epoch])).digest()
        return int.from_bytes(self.weight[:4], "big") / 2**32

    def save(self, file: Path) -> None:
        file.write_bytes(self.weight)


class Loop:
    """As the real loops: an epoch gives its metrics."""

    kind = "fake"

    def __init__(self, model: Model, values: Any, attempt: Any) -> None:
        self._model, self._values, self._attempt = model, values, attempt

    def epoch(self, number: int, *, tick: Any = None) -> dict[str, float]:
        time.sleep(EPOCH_SECONDS)
        if tick:
            tick(1, 1)
        luck = self._model.learn(number)
        score = float(self._values["x"]) * (1 - 0.5**number) * 0.9 + 0.05 * luck
        note("epoch", self._attempt, epoch=number, score=score)
        return {"loss": 1 - score, "val_loss": 1 - score, "val_accuracy": score, "learning_rate": 0.1}


class Run(fit._Run):
    """The real course of a fit, but for what needs Keras."""

    def _prepare(self) -> None:
        values = dict(self._order.values)
        note("began", self._order.attempt)
        for parameter in SPACE:
            if parameter.name not in values:
                values[parameter.name] = self._wire.ask(parameter)
        self._rows = SimpleNamespace(images=())
        self._model = Model(values, self._fit.seed)
        self._loop = Loop(self._model, values, self._order.attempt)
        self._wire.tell(Built(self._order.attempt, 1, "a weight", "fake"))
        self._go_on()
        self._tell_again()

    def _keep_hits(self) -> None:
        """The same images are easy for all, so that better models are right about more of them."""
        with np.load(self._order.split) as split:
            ease = np.random.default_rng(0).random(ROWS)[split["validation"]]
        hits.keep(self._files.hits, ease < self._progress.score)
        failpoints.reach("hits.kept")


def _save(path: Path, model: Model, state: Any) -> None:
    checkpoint._write(path, [np.frombuffer(model.weight, np.uint8)], state)


def _restore(saved: checkpoint.Saved, model: Model) -> None:
    model.weight = saved.arrays[0].tobytes()


def _load_weights(path: Path, model: Model) -> None:
    saved = checkpoint.load(path)
    if saved is None:
        raise ValueError(path)
    _restore(saved, model)


def make(order: Any, recipe: Any, line: Any) -> Any:
    end = real_fit(order, recipe, line)
    note("ended", order.attempt, how=end.how.value, score=end.score)
    return end


real_fit = fit.fit
fit._Run, fit.fit = Run, make
checkpoint.save, checkpoint.restore = _save, _restore
keeping.keep = lambda model, file, _images: model.save(file)
checkpoint.save_weights, checkpoint.load_weights = _save, _load_weights
place.take = lambda slot: None
