"""Tells from a compiled model how many epochs its learning rate climbs first."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from hpsearch.worker.optimizers import updating


def warmup_epochs(model: Any, rows: int, batch_size: int) -> int:
    """The epochs until all `warmup_steps` are done, rounded up; 0 without a warm-up.

    Keras's CosineDecay has such steps (and no warm-up while its `warmup_target` is None), and so has its
    ScheduleFreeAdamW itself; a schedule or an optimizer of one's own is understood if its config names them so.
    Of several, the one that climbs longest counts.
    """
    configs = (config for optimizer in updating(model.optimizer) for config in _configs(optimizer))
    return ceil(max(map(_steps, configs), default=0) / ceil(rows / batch_size))


def _steps(config: Mapping[str, Any]) -> int | float:
    steps = config.get("warmup_steps")
    if not isinstance(steps, int | float) or config.get("warmup_target", 0) is None:
        return 0
    return steps * (config.get("gradient_accumulation_steps") or 1)  # an optimizer counts updates, a schedule all steps


def _configs(optimizer: Any) -> Iterator[Mapping[str, Any]]:
    """The config of the optimizer and that of its learning rate's schedule, where there are such."""
    try:
        config = optimizer.get_config()
    except Exception:  # noqa: BLE001  # a schedule of one's own may have no config, or raise anything for it
        return
    yield config
    rate = config.get("learning_rate")
    if isinstance(rate, Mapping) and isinstance(rate.get("config"), Mapping):  # a plain function has its name there
        yield rate["config"]
