"""Puts another call in the place of a layer's own while a graph is traced."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def replaced(model: Any, fits: Callable[[Any], bool], made: Callable[[Any], Callable[..., Any]]) -> Iterator[None]:
    """Within: each layer of the model that `fits` calls what is `made` of it. Afterwards all is as before."""
    with ExitStack() as stack:
        for layer in filter(fits, model._flatten_layers()):
            layer.call = made(layer)
            stack.callback(delattr, layer, "call")
        yield
