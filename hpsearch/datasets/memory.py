"""Compares what images take with the memory that is free, before it is taken."""

from hpsearch import machine
from hpsearch.datasets.content import images_of
from hpsearch.errors import DataRefused
from hpsearch.protocols import Prepared

MOST, MUCH = 0.9, 0.5  # shares of the free memory: beyond the one refused, from the other on warned of


def refuse_beyond_memory(source: str, needed: int) -> None:
    """Raise DataRefused when so many bytes of images would leave too little of the free memory."""
    free = machine.memory()
    if needed > MOST * free:
        message = (
            f"{source}: needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
            "\n  free some, or take fewer rows"
        )
        raise DataRefused(message)


def heed(prepared: Prepared) -> str:
    """A warning when the training images take half of the free memory or more, "" when they take less.

    Raises DataRefused when they take nearly all of it: trials would wait for the disk most of their time.
    """
    height, width = prepared.shape
    needed = prepared.train_rows * height * width
    refuse_beyond_memory(prepared.name, needed)
    free = machine.memory()
    if needed < MUCH * free:
        return ""
    return (
        f"warning: {images_of(prepared.name)} take {needed / 1e9:.1f} GB of the {free / 1e9:.1f} GB of memory"
        " that are free\n  fewer workers (workers.count) or fewer rows leave more for the trials"
    )
