"""Lets the learning rate fall while the training goes on."""

from math import ceil

import keras
from keras_tuner import HyperParameters


def scheduled(hp: HyperParameters, learning_rate: float) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate, or a schedule that begins with it and ends with the last step of the last epoch."""
    match hp.Choice("schedule", ["none", "step", "cosine"]):
        case "step":
            return step(hp, learning_rate)
        case "cosine":
            return cosine(hp, learning_rate)
    return learning_rate


def step(hp: HyperParameters, learning_rate: float) -> keras.optimizers.schedules.LearningRateSchedule:
    """The full rate for the first third of the training, then smaller by a factor, then by it once more."""
    with hp.conditional_scope("schedule", ["step"]):
        factor = hp.Choice("step_factor", [0.1, 0.3, 0.5], default=0.3)
    third = ceil(horizon(hp) / 3)
    return keras.optimizers.schedules.ExponentialDecay(learning_rate, third, factor, staircase=True)


def cosine(hp: HyperParameters, learning_rate: float) -> keras.optimizers.schedules.LearningRateSchedule:
    """Half a cosine wave down to zero; a warm-up climbs to the full rate first."""
    with hp.conditional_scope("schedule", ["cosine"]):
        warmup_epochs = hp.Int("warmup_epochs", 0, 3)
    # Even the shortest training keeps an epoch to fall in.
    warmup = min(warmup_epochs, hp.task.epochs - 1) * hp.task.steps_per_epoch
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(learning_rate, horizon(hp))
    return keras.optimizers.schedules.CosineDecay(
        0.0, horizon(hp) - warmup, warmup_target=learning_rate, warmup_steps=warmup
    )


def horizon(hp: HyperParameters) -> int:
    """How many optimizer steps the whole training has."""
    return int(hp.task.epochs * hp.task.steps_per_epoch)
