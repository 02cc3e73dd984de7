"""Chooses an optimizer, each with the learning rates that suit it.

One learning rate for all would be wrong for most: Adadelta wants steps near 1 where Lion wants 0.0001.
So each optimizer asks for a rate under its own name, and only the chosen one's is searched.
Muon is left out: its matrix iterations are made for GPUs and make small models slow on a CPU.
"""

import keras
from keras_tuner import HyperParameters

from searchspace.schedules import scheduled

# Smallest, largest and usual learning rate, for batches of about a hundred images.
LEARNING_RATES = {
    "adam": (3e-4, 5e-3, 1e-3),
    "rmsprop": (1e-4, 3e-3, 1e-3),
    "adagrad": (5e-3, 1e-1, 3e-2),
    "adadelta": (1e-1, 2.0, 1.0),
    "sgd": (1e-2, 3e-1, 1e-1),
    "adamw": (3e-4, 5e-3, 1e-3),
    "nadam": (3e-4, 5e-3, 1e-3),
    "lion": (3e-5, 1e-3, 2e-4),
}


def optimizer(hp: HyperParameters) -> keras.optimizers.Optimizer:
    """The optimizer that `hp` chooses, with its learning rate and schedule."""
    name = hp.Choice("optimizer", list(LEARNING_RATES))
    low, high, usual = LEARNING_RATES[name]
    with hp.conditional_scope("optimizer", [name]):
        learning_rate = hp.Float(f"{name}_learning_rate", low, high, sampling="log", default=usual)
    rate = scheduled(hp, learning_rate)

    match name:
        case "sgd":
            return sgd(hp, rate)
        case "adamw":
            with hp.conditional_scope("optimizer", ["adamw"]):
                weight_decay = hp.Float("weight_decay", 1e-4, 1e-1, sampling="log", default=1e-2)
            return keras.optimizers.AdamW(rate, weight_decay=weight_decay)
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})


def sgd(hp: HyperParameters, rate: float | keras.optimizers.schedules.LearningRateSchedule) -> keras.optimizers.SGD:
    """Stochastic gradient descent: with momentum it gathers speed, Nesterov's looks ahead first."""
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Choice("momentum", [0.0, 0.5, 0.9], default=0.9)
        nesterov = hp.Boolean("nesterov", default=True)
    return keras.optimizers.SGD(rate, momentum=momentum, nesterov=nesterov)
