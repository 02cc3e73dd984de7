"""One attempt at a fit in this process, and rows for it."""

import shutil
from dataclasses import replace

import numpy as np

from hpsearch.objective import Objective
from hpsearch.orders import Answer, Beat, Order, Question, Recipe, Stop
from hpsearch.paths import FitFiles
from hpsearch.trial import Attempt, Built, Fit, Measure
from hpsearch.worker.fit import fit
from hpsearch.worker.wire import Wire


def recipes(folder, code):
    """Makes recipes for fits of the rows that are written into the folder, and of the models that this code builds."""
    write_rows(folder)
    (folder / "tiny.py").write_text(code)

    def recipe(build="build", **changes):
        given = {"epochs": 4, "batch_sizes": (32,), **changes}
        objective = Objective("max", "val_accuracy")
        return Recipe(folder, f"tiny:{build}", folder / "data", folder / "fits", ("a", "b", "c"), objective, **given)

    return recipe


def write_rows(folder):
    """120 images of 4 × 4 in three classes, split into 90 and 30, and not at all."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = (random.integers(0, 100, (120, 4, 4)) + 50 * labels[:, None, None]).astype(np.uint8)
    (folder / "data" / "train").mkdir(parents=True)
    np.save(folder / "data" / "train" / "images.npy", images)
    np.save(folder / "data" / "train" / "labels.npy", labels)
    np.savez(folder / "split.npz", train=np.arange(90), validation=np.arange(90, 120))
    np.savez(folder / "whole.npz", train=np.arange(120), validation=np.arange(0))


class Talk:
    """The coordinator's end of the line, in this process: answers every question, stops after some epochs.

    `copies` says to what folder the folder of fits is copied after which epoch: so it lies there after a kill then.
    """

    def __init__(self, stop_after=None, copies=()):
        self.told, self._replies, self._stop_after, self._copies = [], [], stop_after, dict(copies)
        self.fits = None

    def send(self, event):
        if isinstance(event, Beat):  # comes by the clock
            return
        self.told.append(event)
        if isinstance(event, Question):
            self._replies.append(Answer(event.parameter.default))
        if isinstance(event, Measure) and event.epoch == self._stop_after:
            self._replies.append(Stop("enough"))
        if isinstance(event, Measure) and event.epoch in self._copies:
            shutil.copytree(self.fits, self._copies[event.epoch])

    def recv(self):
        return self._replies.pop(0)

    def poll(self, timeout=0.0):
        return bool(self._replies)

    def kinds(self):
        return [type(event) for event in self.told]


def go(recipe, talk=None, kind="search", split="split.npz", number=1, **order):
    talk = talk or Talk()
    talk.fits = recipe.fits
    attempt = Attempt(Fit(0, 11, kind), number)
    return fit(Order(attempt, recipe.root / split, **order), recipe, Wire(talk, attempt)), talk


def go_on(recipe, copy, **order):
    """A second attempt after a kill of the first when `copy` was made of what it had kept."""
    return go(replace(recipe, fits=copy), number=2, **order)


def taken_up(before, after):
    """The epochs that were not made again: they took the very same time."""
    first, second = ({(e.epoch, e.seconds) for e in talk.told if isinstance(e, Measure)} for talk in (before, after))
    return sorted(epoch for epoch, _ in first & second)


def measured_by(*talks):
    return {event.epoch: event.metrics for talk in talks for event in talk.told if isinstance(event, Measure)}


def built_by(talk):
    (built,) = [event for event in talk.told if isinstance(event, Built)]
    return built


def kept_model(fits, kind):
    return FitFiles(fits / Fit(0, 11, kind).name).model
