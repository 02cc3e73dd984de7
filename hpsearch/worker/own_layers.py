"""Has a project's own layers at hand while models of it are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpsearch.errors import ExperimentRefused, StateDamaged
from hpsearch.worker.finding import find_build


@contextmanager
def own_layers(root: Path, build: str) -> Iterator[None]:
    """Within: the layers that a project registers when its search space is imported are known.

    A space that was renamed since, or is being edited, is in the way of no model that needs none of them.
    Where one cannot be read without, raise ExperimentRefused, which says what is wrong with the space.
    """
    refused: ExperimentRefused | None = None
    try:
        find_build(root, build)
    except ExperimentRefused as error:
        refused = error
    try:
        yield
    except StateDamaged as error:
        if refused is None:
            raise
        raise refused from error
