"""Exports LiteRT (formerly TensorFlow Lite): one small file for phones and boards, in full precision or in bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.files import write_bytes

if TYPE_CHECKING:
    from hpsearch.protocols import Images, Probabilities, Reader

MODULE = "ai_edge_litert"
USAGE = """\
from ai_edge_litert.interpreter import Interpreter

model = Interpreter("{artefact}")
pixels, answers = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]
model.resize_tensor_input(pixels, images.shape)
model.allocate_tensors()
model.set_tensor(pixels, images)
model.invoke()
probabilities = model.get_tensor(answers)
"""


class LiteRT:
    """A LiteRT file in full precision."""

    artefact = "model.tflite"
    needs: tuple[str, ...] = (MODULE,)
    tolerance = 1e-4
    holds_code = True
    usage = USAGE.format(artefact=artefact)

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:  # noqa: ARG002  # the socket's
        """Write `folder`/model.tflite by Keras's own export."""
        from hpsearch.worker.model_reading import read_model

        read_model(model).export(folder / self.artefact, format="litert", verbose=False)
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Load it by LiteRT's interpreter."""
        return _reader(folder / self.artefact)


class LiteRTInt8:
    """A LiteRT file that computes in whole numbers of eight bits; what they stand for is learnt from training images.

    Its input is the raw image as it is (scale 1, zero point 0), its output float32: nobody has to scale anything.
    A probability may be any other; that the model reads as many images rightly is checked for every format.
    """

    artefact = "model_int8.tflite"
    needs: tuple[str, ...] = (MODULE,)
    tolerance = 1.0
    holds_code = True
    usage = USAGE.format(artefact=artefact)

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:
        """Write `folder`/model_int8.tflite by TensorFlow's converter."""
        from tempfile import TemporaryDirectory

        from hpsearch.worker.model_reading import read_model

        with TemporaryDirectory(prefix="hpsearch-int8-") as scratch:
            _after_the_cast(read_model(model)).export(scratch, format="tf_saved_model", verbose=False)
            content = _in_bytes(scratch, samples)
        write_bytes(folder / self.artefact, content)
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Load it by LiteRT's interpreter."""
        return _reader(folder / self.artefact)


def _after_the_cast(model: Any) -> Any:
    """The model from where its pixels are floats, still 0 … 255: the converter wants to quantise its input itself."""
    import keras

    pixels = next(step.output for step in model.operations if step.output.dtype == "float32")
    return keras.Model(pixels, model.output)


def _in_bytes(saved_model: str, samples: "Images") -> bytes:
    import numpy as np
    import tensorflow as tf

    def examples() -> Iterator[list[Any]]:
        for image in samples:
            yield [np.asarray(image, np.float32)[None]]

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    content: bytes = converter.convert()
    return content


def _reader(file: Path) -> "Reader":
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(file))
    pixels, answers = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]
    shape: tuple[int, ...] = ()

    def read(images: "Images") -> "Probabilities":
        nonlocal shape
        if images.shape != shape:
            model.resize_tensor_input(pixels, images.shape)
            model.allocate_tensors()
            shape = images.shape
        model.set_tensor(pixels, images)
        model.invoke()
        return np.asarray(model.get_tensor(answers))

    return read
