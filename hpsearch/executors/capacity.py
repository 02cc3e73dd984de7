"""How many workers this machine can hold: by cards, or by the cores and the memory this process may use."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from hpsearch import cards, machine
from hpsearch.orders import Slot

Count = int | Literal["auto"]
WORKER_BYTES = 1_000_000_000
SPARE_BYTES = 500_000_000  # a process that has imported TensorFlow and shares no memory, as a forked one would
# What a process takes of a card beside the memory that TensorFlow deals out (CUDA's context, cuDNN, cuBLAS): as much
# as TensorFlow itself leaves on cards of compute capability 8 (MinSystemMemory in common_runtime/gpu/gpu_device.cc).
OUTSIDE_MIB = 1536


def slots(count: Count, gpus: cards.Wanted, per_gpu: int, *, spares: bool) -> tuple[Slot, ...]:
    """A slot for each worker: `per_gpu` shares of every card, where cards are wanted and there, else one-thread slots.

    A number as `count` is the most there are. With `spares`, each slot has a second process that waits.
    Raises ExperimentRefused when there are fewer cards than asked for.
    """
    chosen = cards.choose(gpus)
    if not chosen:
        return (Slot(),) * workers(count, spares=spares)
    most = len(chosen) * per_gpu
    hands = most if count == "auto" else min(count, most)
    threads = max(1, machine.cores() // hands)
    shares = [Slot(card.visible, card.model, _share(card, per_gpu), threads) for card in chosen]
    return tuple(shares * per_gpu)[:hands]


def _share(card: cards.Card, per_gpu: int) -> int | None:
    """How many MiB TensorFlow may deal out to one of so many processes on a card; None if it cannot be told."""
    if card.free is None:
        return None
    share = card.free // per_gpu
    return max(share - OUTSIDE_MIB, share // 2)


def words(taken: Sequence[Slot]) -> str:
    """The cards of some slots in words, such as "NVIDIA A2 (GPU-5c3f…): 2 slots of 5,900 MiB"; "" without cards."""
    shares = Counter(slot for slot in taken if slot.card)
    return "; ".join(f"{slot.model} ({slot.card}): {_many(number, slot)}" for slot, number in shares.items())


def _many(number: int, slot: Slot) -> str:
    many = f"{number} slot{'s' * (number > 1)}"
    return many if slot.memory is None else f"{many} of {slot.memory:,} MiB"


def workers(count: Count, *, spares: bool = False) -> int:
    """The number asked for, or as many as cores and memory (about 1 GB each, half as much a spare) allow, but one."""
    each = WORKER_BYTES + spares * SPARE_BYTES
    return count if isinstance(count, int) else max(1, min(machine.cores(), machine.memory() // each))
