"""Finds what to doubt of a model that can be trained, but to little use: a warning, which stops no search."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from hpsearch.errors import Mistake
from hpsearch.space import Parameter
from hpsearch.worker.seeding import Begun

WHERE = "model.build"
LEAST_SCALE = 0.01  # of a Rescaling layer; 1 / 127.5 and 1 / 255 are less
UNHEEDED = {  # what build_model can ask hp for, but not decide
    "batch_size": "leave it out, and search it by train.batch_size = [32, 64]",
    "epochs": "leave it out: train.epochs says them, and of every trial the best epoch counts",
}


def one_seed(begun: Begun, *, alike: bool) -> Iterator[Mistake]:
    """A build, or a fit of its own, that sets a seed: fresh seeds are to show how much seeds differ.

    Or one whose models begin `alike` without: every initializer has a number for its seed, or weights are loaded.
    """
    if begun.overruled:
        what = "build_model (or fit) sets a seed: so all trainings begin alike, and no interval knows how seeds differ"
        yield Mistake(WHERE, what, "leave it out: each training has a seed of its own, made of the study's")
    elif alike:
        what = "two models of build_model begin with the same weights: so no interval knows how seeds differ"
        yield Mistake(WHERE, what, "leave seed=… out of its initializers; weights that are loaded may well be the same")


def first_weights(model: Any) -> bytes:
    """A digest of the weights that a model begins with; b"" if none was drawn, as biases and scales are not."""
    drawn = [weights for weights in model.get_weights() if weights.size and weights.max() > weights.min()]
    return hashlib.blake2b(b"".join(weights.tobytes() for weights in drawn)).digest() if drawn else b""


def scaled_twice(model: Any) -> Iterator[Mistake]:
    """A model that divides by 255 (or half of it) what comes to it from 0 to 1, as a tutorial's does."""
    import keras
    import numpy as np

    layers = model._flatten_layers()  # noqa: SLF001  # which sees nested ones, too
    scales = [float(np.max(layer.scale)) for layer in layers if isinstance(layer, keras.layers.Rescaling)]
    if scales and min(scales) < LEAST_SCALE and max(scales) <= 1:
        what = "the model's Rescaling layer divides images that come to it from 0 to 1 already"
        yield Mistake(WHERE, what, "leave that layer out: so dark, all images look alike")


def unheeded(parameters: Iterable[Parameter]) -> Iterator[Mistake]:
    """What build_model asks for as if it were trained by it, as scripts do whose tuner hands it on to model.fit."""
    for name in dict.fromkeys(parameter.name for parameter in parameters if parameter.name in UNHEEDED):
        what = f"build_model asks hp for {name!r}, and is trained with that of [train] whatever it gets"
        yield Mistake(WHERE, what, UNHEEDED[name])


def no_probabilities(model: Any, images: Any) -> Iterator[Mistake]:
    """A model that ends in numbers of any size, as a plain Dense layer does, with a loss that takes probabilities."""
    from hpsearch.worker import judging
    from hpsearch.worker.rows import keras_loss

    given_several = isinstance(model.loss, dict | list | tuple)
    if given_several or "crossentropy" not in str(keras_loss(model.loss)) or getattr(model.loss, "from_logits", False):
        return
    if judging.are_logits(judging.outputs(model, images)):
        what = "the model's loss takes probabilities, but its last layer gives numbers of any size: so it learns badly"
        yield Mistake(WHERE, what, "let it end in softmax (or sigmoid), or give the loss from_logits=True")


def of_training(metric: str, given: Iterable[str]) -> Iterator[Mistake]:
    """An objective that is measured on the rows that train, where there is the same of those that validate."""
    if (validated := f"val_{metric}") in given:
        what = f"{metric!r} is measured on the images that train, so the trial that learns them by heart is best"
        yield Mistake("search.objective", what, f"{validated!r} is the same on images that do not")
