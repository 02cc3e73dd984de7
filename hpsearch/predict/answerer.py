"""Finds the model that a word names and has it answer for images, from a process that can be ended at any time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hpsearch import paths
from hpsearch.contender_files import data_of, model_file
from hpsearch.contenders import find, is_study
from hpsearch.errors import HpsearchError, StateDamaged
from hpsearch.exported import Exported, read_export
from hpsearch.predict.framing import Framing
from hpsearch.predict.likeness import Likeness
from hpsearch.predict.training_images import LIKENESS, TrainingImages, of_study
from hpsearch.protocols import unheard
from hpsearch.worker import starting
from hpsearch.worker.answering import DONE, Kind, Source, answer
from hpsearch.worker.ending import ChildDied, how_it_died, kill
from hpsearch.worker.rows import rows_at_once

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    import numpy as np
    from numpy.typing import NDArray

BATCH_ROWS = 512
START_PATIENCE, PATIENCE = 180.0, 120.0  # seconds, for a model to be loaded, and for one answer
# The files of an export that are opened, the surest first; a SavedModel or an MLflow folder never is, being code.
WITH_TENSORFLOW: set[Kind] = {"study", "keras"}
KINDS: dict[str, Kind] = {
    "model.keras": "keras", "model.onnx": "onnx", "model.tflite": "litert", "model_int8.tflite": "litert",
}  # fmt: skip


class Answerer:
    """A model in a process of its own, which any thread may ask.

    `method` says how that process was started: without TensorFlow where the model does without.
    """

    method: starting.Method

    def __init__(self, label: str, sources: Sequence[Source], seen: TrainingImages) -> None:
        """Load the model; raise StateDamaged when it cannot be, ChildDied when its process died of it."""
        self.label = label
        self.class_names, self.shape = seen.class_names, seen.shape
        self.framing, self.polarity, self.framed_otherwise = seen.framing, seen.polarity, seen.framed_otherwise
        self._likeness, self._lock = seen.likeness, threading.RLock()
        self.method = starting.method_here() if {source.kind for source in sources} & WITH_TENSORFLOW else "spawn"
        self._process: BaseProcess
        self._line: Connection[Any, Any]
        self._process, self._line = starting.fresh(
            answer, tuple(sources), self.shape, len(self.class_names), method=self.method
        )
        try:
            with self._patience(START_PATIENCE):
                told = self._heard()
        except BaseException:
            self.close()
            raise
        if told[:1] != DONE:
            self.close()
            message = f"{label}: the model cannot be used\n  {told[1:].decode(errors='replace')}"
            raise StateDamaged(message)

    def probabilities(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """The probability of each class (float32, rows × classes) for raw images (uint8, rows × height × width).

        Raises ValueError at images of another shape or type, HpsearchError when the model cannot answer, and
        ChildDied when its process is gone, or was not done in two minutes.
        """
        import numpy as np

        if images.dtype != np.uint8 or images.shape[1:] != self.shape:
            message = f"images are uint8 of rows × {self.shape}, not {images.dtype} of {images.shape}"
            raise ValueError(message)
        rows = rows_at_once(BATCH_ROWS, self.shape)
        parts = [self._asked(images[start : start + rows]) for start in range(0, len(images), rows)]
        return np.concatenate([np.zeros((0, len(self.class_names)), np.float32), *parts])

    def unlike(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """How far each image (rows) lies from the training images, above 1 as hardly any of them; NaN if unknown."""
        import numpy as np

        return self._likeness.score(images) if self._likeness else np.full(len(images), np.nan, np.float32)

    def warning(self) -> str:
        """What to say where characters are shown to the model otherwise than it learnt them; "" where they are not."""
        if not self.framed_otherwise:
            return ""
        return (
            f"warning: the training images of {self.label} are framed neither as MNIST's nor as EMNIST's are:"
            " characters are shown to it otherwise than it learnt them, and it will read worse than its accuracy says"
            "\n  frame training images so, and search again; predict and play look for ink: pictures of anything else"
            f" are read by an export, scaled to {self.shape[0]} × {self.shape[1]}"
        )

    def close(self) -> None:
        """End the process; whoever waits for an answer of it gets ChildDied."""
        kill(self._process)
        with self._lock:
            self._line.close()

    def _asked(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        import numpy as np

        with self._lock, self._patience(PATIENCE):
            try:
                self._line.send_bytes(images.tobytes())
                told = self._heard()
            except KeyboardInterrupt:
                self.close()  # its answer would be taken for that to the next question
                raise
            except (OSError, ValueError) as error:
                raise self._died() from error
        if told[:1] != DONE:
            message = f"{self.label}: the model cannot answer ({told[1:].decode(errors='replace')})"
            raise HpsearchError(message)
        return np.frombuffer(told[1:], np.float32).reshape(len(images), len(self.class_names))

    def _heard(self) -> bytes:
        try:
            return self._line.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _died(self) -> ChildDied:
        how = self._gave_up or "is gone"
        with suppress(ValueError, AssertionError):
            self._process.join(5)
            how = self._gave_up or how_it_died(self._process)
        message = f"{self.label}: the process that holds the model {how}\n  the same command starts another one"
        return ChildDied(message, how)

    _gave_up = ""

    @contextmanager
    def _patience(self, seconds: float) -> Iterator[None]:
        """Within: the process is ended after so many seconds, which ends the waiting for it."""

        def give_up() -> None:
            self._gave_up = f"was not done after {seconds:g} s"
            kill(self._process)

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def answering(project: paths.Project, word: str) -> Iterator[Answerer]:
    """Within: the model answers that the word names: STUDY is its winner, STUDY:12 its trial 12, or an exported FOLDER.

    Enter it from the main thread: what processes are forked from ends with the thread that first needed it. A study
    goes before a folder of the same name. Raises what `contenders.find`, `read_export` and `Answerer` raise.
    """
    with TemporaryDirectory(prefix="hpsearch-predict-") as scratch:
        answerer = _of_study(project, word, Path(scratch)) if is_study(project, word) else _of_folder(Path(word))
        try:
            yield answerer
        finally:
            answerer.close()


def _of_study(project: paths.Project, word: str, scratch: Path) -> Answerer:
    starting.warm_up()
    one = find(project, word)
    seen = of_study(one, unheard)
    file = one.file
    if one.weights_of:
        file = model_file(project, one, data_of(one, unheard), scratch / "model.keras")
    return Answerer(one.label, [Source("study", file, project.root, one.experiment.model.build)], seen)


def _of_folder(folder: Path) -> Answerer:
    exported = read_export(folder)
    files = {file.name: file for file in exported.formats.values()}
    sources = [Source(kind, files[name]) for name, kind in KINDS.items() if name in files]
    if not sources:
        there, known = ", ".join(exported.formats), ", ".join(KINDS)
        message = f"{folder}: none of its formats is opened here: {there}\n  export one that is: {known}"
        raise StateDamaged(message)
    framing, polarity = Framing(exported.framing), exported.polarity
    otherwise = bool(exported.manifest["framing"].get("otherwise"))
    seen = TrainingImages(exported.class_names, exported.shape, framing, polarity, _likeness_in(exported), otherwise)
    try:
        return Answerer(str(folder), sources, seen)
    except StateDamaged as error:
        message = f"{error}\n  a model with the project's own layers needs a format that holds them, such as onnx"
        raise StateDamaged(message) from error


def _likeness_in(exported: Exported) -> Likeness | None:
    if LIKENESS not in exported.manifest["files"]:
        return None
    return Likeness.load(exported.folder / LIKENESS, exported.shape)
