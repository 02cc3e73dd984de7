"""How a warm-up is found in a compiled model."""

import keras
import pytest

from hpsearch.worker.warmup import warmup_epochs

schedules = keras.optimizers.schedules


@keras.saving.register_keras_serializable()
class Ramp(schedules.LearningRateSchedule):
    """A schedule as a person might write it; it has a config only where it is given steps."""

    def __init__(self, warmup_steps=None):
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {"warmup_steps": self.warmup_steps} if self.warmup_steps else super().get_config()


def constant():
    return 0.1


def compiled(optimizer):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizer, loss="mse")
    return model


@pytest.mark.parametrize(
    ("rate", "epochs"),
    [
        (schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=20), 2),
        (schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=21), 3),
        (schedules.CosineDecay(0.1, 90, warmup_steps=20), 0),
        (schedules.CosineDecay(0.1, 90), 0),
        (schedules.ExponentialDecay(0.1, 10, 0.5), 0),
        (0.1, 0),
        (Ramp(warmup_steps=35), 4),
        (Ramp(), 0),
        (constant, 0),
    ],
)
def test_a_warmup_is_counted_in_begun_epochs(rate, epochs):
    model = compiled(keras.optimizers.SGD(rate))

    assert warmup_epochs(model, rows=95, batch_size=10) == epochs


@pytest.mark.parametrize(("own", "accumulated", "epochs"), [(0, None, 2), (35, None, 4), (0, 3, 2), (35, 3, 11)])
def test_a_warmup_of_the_optimizer_itself_counts_its_updates_beside_the_steps_of_its_schedule(own, accumulated, epochs):
    rate = schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=20)

    optimizer = keras.optimizers.ScheduleFreeAdamW(rate, warmup_steps=own, gradient_accumulation_steps=accumulated)
    model = compiled(optimizer)

    assert warmup_epochs(model, rows=100, batch_size=10) == epochs


def test_the_longest_warmup_of_several_optimizers_counts():
    rates = [schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=steps) for steps in (20, 40)]
    first, other = map(keras.optimizers.SGD, rates)

    divided = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(first, {".*/kernel": other}))

    assert warmup_epochs(compiled(divided), rows=100, batch_size=10) == 4


def test_the_warmup_of_a_wrapped_optimizer_is_found():
    rate = schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=20)

    model = compiled(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate)))

    assert warmup_epochs(model, rows=100, batch_size=10) == 2
