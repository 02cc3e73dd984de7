"""The process of one attempt: waits for its order, does it, says how it ended, and is gone."""

from hpsearch.orders import Order, Recipe
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
