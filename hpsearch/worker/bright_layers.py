"""Finds layers that change images from 0 to 1 as if they went to 255: a warning, as those of `doubting`."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from hpsearch.errors import Mistake
from hpsearch.worker import judging
from hpsearch.worker.layer_calls import replaced

WHERE = "model.build"
BRIGHT = 10.0  # more than images from 0 to 1 come to, also where they are standardised, and less than bytes do
FOR_BYTES = (  # Keras's layers that ruin training images of another range than theirs, which is 0 to 255 by default
    "RandomBrightness", "RandomErasing", "RandomInvert", "RandomPosterization", "Solarization",
)  # fmt: skip


def meant_for_bytes(model: Any, images: Any) -> Iterator[Mistake]:
    """A layer whose range goes far beyond the images that come to it, as one that a tutorial has before its Rescaling.

    `images` are uint8, rows × height × width. What comes to it is seen by a call of the model, as in training: other
    layers may have made them brighter.
    """
    if not any(map(_for_bytes, model._flatten_layers())):  # noqa: SLF001  # which sees nested ones, too
        return
    came: dict[str, float] = {}
    with suppress(Exception), replaced(model, _for_bytes, partial(_noting, came)):  # what fails here trained before
        judging.outputs(model, images, lambda batch: model(batch, training=True))
    for kind in (kind for kind, brightest in came.items() if brightest < BRIGHT):
        what = f"the model's {kind} layer is made for images from 0 to 255, and ruins these, which go from 0 to 1"
        yield Mistake(WHERE, what, "give it value_range=(0, 1)")


def _for_bytes(layer: Any) -> bool:
    import keras

    known = any(type(layer) is getattr(keras.layers, name) for name in FOR_BYTES)
    return known and max(layer.value_range) > BRIGHT and getattr(layer, "fill_value", None) is None


def _noting(came: dict[str, float], layer: Any) -> Callable[..., Any]:
    """The layer's call, which notes by the layer's kind the greatest value that comes to it."""
    from keras import ops

    call, kind = layer.call, type(layer).__name__

    def noting(given: Any, *others: Any, **named: Any) -> Any:
        came[kind] = max(came.get(kind, 0.0), float(ops.max(ops.abs(given))))
        return call(given, *others, **named)

    return noting
