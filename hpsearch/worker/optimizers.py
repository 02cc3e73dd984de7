"""Finds the optimizers that update the weights inside of those that only wrap others."""

from typing import Any


def updating(optimizer: Any) -> list[Any]:
    """The optimizer itself, the one whose loss it scales, or those among which it divides the weights.

    Keras's LossScaleOptimizer and MultiOptimizer are such; the latter may know its optimizers only when it is built.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(inner, "optimizers", ())) or [inner]
