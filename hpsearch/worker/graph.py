"""Makes a model into a TensorFlow module that holds its graph alone: it is read without the code of its layers."""

from collections.abc import Sequence
from typing import Any


def graph(model: Any, sizes: Sequence[int], dtype: str) -> Any:
    """A tf.Module that takes images (`dtype`, rows × `sizes`) and gives what the model gives when it predicts."""
    import tensorflow as tf

    class Graph(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec([None, *sizes], dtype, "images")], autograph=False)  # type: ignore[untyped-decorator]
        def __call__(self, images: Any) -> Any:
            return self.model(images, training=False)

    return Graph()
