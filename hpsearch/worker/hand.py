"""The process of one attempt: waits for its order, does it, says how it ended, and is gone."""

from pathlib import Path

from hpsearch.orders import Order, Recipe
from hpsearch.trial import Attempt
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
    from hpsearch.worker.fit import fit

    line.send(fit(order, recipe, Wire(line, order.attempt)))


def log_file(fits: Path, attempt: Attempt) -> Path:
    """Where what an attempt prints is kept, after that of earlier attempts at its fit."""
    return fits / attempt.fit.name / "log.txt"
