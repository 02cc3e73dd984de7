"""Puts a process where it is to work: on its share of a card, or on the processor with every card hidden."""

import contextlib
import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hpsearch import machine
from hpsearch.cards import CUDA_BUILD
from hpsearch.errors import ExperimentRefused, HpsearchError, Mistake
from hpsearch.orders import Order, Recipe, Slot
from hpsearch.trial import AttemptEnd, Failure, How
from hpsearch.worker.quiet import import_all

if TYPE_CHECKING:
    from hpsearch.worker.wire import Line

# Else TensorFlow takes all that it may deal out when it starts, and a process that begins while another still ends
# finds no room for cuBLAS ("No blas support for stream"): seen on an H200. The slot's limit holds all the same.
GROW = "TF_FORCE_GPU_ALLOW_GROWTH"
NO_CARD = "-1"  # CUDA knows no card of that name, and so shows none
MEND = f"the driver or the CUDA libraries may be missing: {CUDA_BUILD}; gpus = false trains on the processor"
MISSING = (
    "TensorFlow cannot be imported here ({why})\n  pip install 'tensorflow>=2.21' 'keras>=3.15' 'keras-tuner>=1.4.8'"
)


def work(line: "Line", slot: Slot, target: Callable[[Any, Any], None], recipe: Recipe) -> None:
    """Be ready in the slot, and then do `target(line, recipe)`; a card out of order fails the attempt that comes."""
    try:
        take(slot)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told as the attempt's failure
        _fail(line, Failure(type(error).__name__, str(error), traceback.format_exc()))
    else:
        target(line, recipe)


def run(slot: Slot, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function in the slot, and give back what it returns."""
    take(slot)
    return function(*arguments)


def take(slot: Slot) -> None:
    """Show this process no card but the slot's, import TensorFlow, and bound what it may use; before its first op.

    Raises HpsearchError when TensorFlow cannot be imported, ExperimentRefused when it does not see the card. A process
    that was forked has TensorFlow already, but CUDA reads its environment only when it is first asked for a card.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = slot.card or NO_CARD
    os.environ.setdefault(GROW, "true")
    if why := import_all():
        raise HpsearchError(MISSING.format(why=why))
    import tensorflow as tf

    bound(slot, tf.config)


def bound(slot: Slot, config: Any) -> None:
    """Set threads and memory by TensorFlow's `tf.config`."""
    threads = slot.threads or machine.cores()  # TensorFlow's own choice heeds no quota of a control group
    config.threading.set_intra_op_parallelism_threads(threads)
    config.threading.set_inter_op_parallelism_threads(threads)
    if not slot.card:
        config.set_visible_devices([], "GPU")  # other makers' cards do not heed CUDA's variable
        return
    seen, wanted = config.list_physical_devices("GPU"), slot.card.split(",")
    if len(seen) != len(wanted):
        several = f"of the {len(wanted)} that should be there: {slot.card}"
        there = several if len(wanted) > 1 else f"where {slot.card} should be"
        what = f"TensorFlow sees {len(seen) or 'no'} card{'s' * (len(seen) > 1)} {there}"
        raise ExperimentRefused([Mistake("workers.gpus", what, MEND)])
    for card in seen if slot.memory else ():
        limit = config.LogicalDeviceConfiguration(memory_limit=slot.memory)
        config.set_logical_device_configuration(card, [limit])


def _fail(line: "Line", failure: Failure) -> None:
    with contextlib.suppress(EOFError, OSError):  # the coordinator is gone
        order = line.recv()
        if isinstance(order, Order):
            line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, failure=failure))
