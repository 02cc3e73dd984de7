"""The process of one attempt: waits for its order, does it, says how it ended, and is gone."""

import os
import sys
from pathlib import Path

from hpsearch.orders import Order, Recipe
from hpsearch.paths import make
from hpsearch.worker.wire import Line, Wire


def serve(line: Line, recipe: Recipe) -> None:
    """Make the one attempt that comes over the line; end quietly when the coordinator is gone."""
    try:
        order = line.recv()
        if isinstance(order, Order):
            _make(order, recipe, line)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _make(order: Order, recipe: Recipe, line: Line) -> None:
    _write_output_to(make(recipe.fits / order.attempt.fit.name) / "log.txt")
    from hpsearch.worker.fit import fit

    line.send(fit(order, recipe, Wire(line, order.attempt)))


def _write_output_to(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
