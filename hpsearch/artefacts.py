"""Writes exported formats and tries them out: each in a fresh process, which knows the exported folder and no more."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import disk, files
from hpsearch.errors import FormatUnusable, HpsearchError, NotExported, first_line
from hpsearch.exported import files_in, read_export
from hpsearch.formats import exporter
from hpsearch.worker.judging import BATCH_ROWS, Judgement, class_probabilities, judgement
from hpsearch.worker.measuring import medians, so_many, timed_together
from hpsearch.worker.model_reading import read_model
from hpsearch.worker.own_layers import own_layers
from hpsearch.worker.quiet import silence
from hpsearch.worker.rows import open_arrays, rows_at_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.protocols import Images, Probabilities, Reader

STREAMS = (1, 2)  # TensorFlow's converters, MLflow and the runtimes all talk


@dataclass(frozen=True)
class Checked:
    """What an exported model showed on the test split, beside Keras's own.

    Times are medians in milliseconds, of one image and of `batch` images at once.
    """

    accuracy: float
    test_rows: int
    largest_difference: float
    bytes: int
    single_ms: float
    batch: int
    batch_ms: float


def write(root: Path, build: str, name: str, model: Path, folder: Path, samples: "Images") -> None:
    """Write one format of a wrapped model into the folder; what libraries keep for a while lies beside the model.

    Raises FormatUnusable when the format cannot hold it, FolderUnusable when a disk is full.
    """
    tempfile.tempdir = str(model.parent)  # TensorFlow leaves files behind in a process that is killed
    with (
        own_layers(root, build),
        _as_unusable(name, "this model cannot be written in this format", folder),
        silence(*STREAMS),
    ):
        exporter(name).write(model, folder, samples)


def reference(root: Path, build: str, model: Path, test: Path, classes: tuple[str, ...], target: Path) -> Judgement:
    """What Keras's own model, as it was trained, shows on the test split; its probabilities go to `target` (.npy).

    Raises DataRefused when the data are gone, FolderUnusable when the disk is full.
    """
    import numpy as np

    images, labels = open_arrays(test, "r")
    with own_layers(root, build):
        read = read_model(model)
    found = class_probabilities(read, images)
    np.save(content := BytesIO(), found)  # numpy's own write into a file does not notice that the disk is full
    files.write_bytes(target, content.getbuffer())
    return judgement(labels, found.argmax(axis=1), found.max(axis=1), classes)


def check(folder: Path, name: str, test: Path, wanted: Path) -> Checked:
    """Load a format of the folder by its own runtime, and run it over the test split.

    `wanted` has the probabilities of Keras's own model. Raises StateDamaged when a file is not as it was written,
    FormatUnusable when the runtime cannot load or run it, NotExported when it gives something else than probabilities,
    FolderUnusable when a disk is full, DataRefused when the data are gone.
    """
    import numpy as np

    (images, labels), expected = open_arrays(test, "r"), np.load(wanted, mmap_mode="r")
    artefact = read_export(folder).formats[name]
    with _as_unusable(name, "its own runtime cannot run it", folder), silence(*STREAMS):
        read = exporter(name).load(folder)
        given = _probabilities(name, read, images, expected)
        together = timed_together(images.shape[1:])
        (one,), (many,) = (medians([_call(read, so_many(images, rows))]) for rows in (1, together))
    size = sum(file.stat().st_size for file in ([artefact] if artefact.is_file() else files_in(artefact)))
    accuracy, difference = float((given.argmax(axis=1) == labels).mean()), float(np.abs(given - expected).max())
    return Checked(accuracy, len(labels), difference, size, one, together, many)


def _probabilities(name: str, read: "Reader", images: "Images", wanted: "Probabilities") -> "Probabilities":
    import numpy as np

    rows = rows_at_once(BATCH_ROWS, images.shape[1:])
    given = np.concatenate([read(np.array(images[start : start + rows])) for start in range(0, len(images), rows)])
    if given.dtype != np.float32 or given.shape != wanted.shape:
        message = (
            f"{name}: it gives {given.dtype} of shape {given.shape}, not float32 of shape {wanted.shape}\n"
            "  leave this format out"
        )
        raise NotExported(message)
    return given


def _call(read: "Reader", images: "NDArray[np.uint8]") -> Callable[[], Any]:
    return lambda: read(images)


@contextmanager
def _as_unusable(name: str, what: str, folder: Path) -> Iterator[None]:
    """Within: whatever a library raises is told as the format's fault, in one line, unless a disk is full.

    It is the one that is written to, or the one where libraries keep things for a while: that with the least room.
    """
    try:
        yield
    except HpsearchError:
        raise
    except Exception as error:  # converters and runtimes raise anything
        if disk.of_full_disk(error):
            raise disk.disk_full(min(folder.parent, Path(tempfile.gettempdir()), key=disk.room)) from error
        why = f"{type(error).__name__}: {first_line(str(error).strip())}"
        message = f"{name}: {what} ({why})\n  leave this format out"
        raise FormatUnusable(message) from error
