"""Tells from a compiled model how many epochs its learning rate climbs before it falls."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from hpsearch.worker.optimizers import updating


def warmup_epochs(model: Any, rows: int, batch_size: int) -> int:
    """The epochs until the schedule's `warmup_steps` are done, rounded up; 0 without a warm-up.

    Keras's CosineDecay has such steps (and no warm-up while its `warmup_target` is None); a schedule of one's
    own is understood if its config names them so. Of several optimizers, the one that climbs longest counts.
    """
    return max(_warmup_epochs(optimizer, rows, batch_size) for optimizer in updating(model.optimizer))


def _warmup_epochs(optimizer: Any, rows: int, batch_size: int) -> int:
    schedule = _schedule(optimizer)
    steps = schedule.get("warmup_steps")
    if not isinstance(steps, int | float) or schedule.get("warmup_target", 0) is None:
        return 0
    return ceil(steps / ceil(rows / batch_size))


def _schedule(optimizer: Any) -> Mapping[str, Any]:
    """The config of the learning rate's schedule; empty for a plain rate or a function."""
    try:
        rate = optimizer.get_config()["learning_rate"]
    except Exception:  # noqa: BLE001  # a schedule of one's own may have no config, or raise anything for it
        return {}
    config = rate.get("config") if isinstance(rate, Mapping) else None
    return config if isinstance(config, Mapping) else {}  # a plain function has its name there
