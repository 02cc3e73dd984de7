"""Exports ONNX: one file for ONNX Runtime, in many languages and on many machines."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch import machine

if TYPE_CHECKING:
    from hpsearch.protocols import Images, Reader

USAGE = """\
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(probabilities,) = session.run(None, {session.get_inputs()[0].name: images})
"""


class OnnxFile:
    """An ONNX file, written by tf2onnx and read by ONNX Runtime."""

    artefact = "model.onnx"
    needs: tuple[str, ...] = ("onnx", "tf2onnx", "onnxruntime")
    tolerance = 1e-4
    holds_code = True
    usage = USAGE

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:
        """Write `folder`/model.onnx by Keras's own export."""
        from hpsearch.worker.model_reading import read_model

        loaded = read_model(model)
        loaded(samples[:1])  # Keras exports to ONNX only what has been called
        loaded.export(folder / self.artefact, format="onnx", verbose=False)
        return [folder / self.artefact]

    def load(self, folder: Path) -> "Reader":
        """Load it by ONNX Runtime, on the processor."""
        import numpy as np

        from hpsearch.worker.answering import NO_TELEMETRY

        os.environ.setdefault(*NO_TELEMETRY)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = machine.cores()  # else a thread for each core of the machine, whosever it is
        session = onnxruntime.InferenceSession(folder / self.artefact, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda images: np.asarray(session.run(None, {name: images})[0])
