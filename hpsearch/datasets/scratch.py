"""Gathers images on the disk, row after row, so that a set larger than memory can be read and prepared.

The file has no name, so that nothing is left of it when the process ends, however that comes.
"""

import tempfile
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hpsearch import paths
from hpsearch.datasets.memory import refuse_beyond_memory
from hpsearch.datasets.storing import make_in_cache, unwritable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpsearch.datasets.content import Images

MARGIN = 1 << 27  # bytes between two looks at the free memory
BLOCK = 1 << 22  # bytes that are copied at a time
SMALL = 1 << 26  # bytes that may as well be kept in memory


class Scratch:
    """Takes in blocks of values, and gives them back as one mapped, read-only array."""

    def __init__(self, source: str) -> None:
        """Gather what is read from `source`, its name for people."""
        self._source, self._folder = source, make_in_cache(paths.cache() / "prepared")
        self._taken = self._looked = 0

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a full disk, which was told already
            self._file.close()

    def append(self, block: "np.ndarray[Any, Any] | bytes") -> None:
        """Take in more values; raise FolderUnusable when the disk is full, DataRefused beyond the free memory."""
        import numpy as np

        raw = memoryview(block) if isinstance(block, bytes) else np.ascontiguousarray(block).reshape(-1).data.cast("B")
        self._taken += len(raw)
        if self._taken - self._looked > MARGIN:
            refuse_beyond_memory(self._source, self._taken)
            self._looked = self._taken
        try:
            self._file.write(raw)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def mapped(self, shape: tuple[int, ...], dtype: "np.dtype[Any] | None" = None, order: Any = "C") -> Any:
        """All that was taken in, as an array of this shape; the mapping outlives the file."""
        import numpy as np

        kind = dtype or np.dtype(np.uint8)
        if 0 in shape:
            return np.empty(shape, kind)
        try:
            self._file.flush()
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return np.asarray(np.memmap(self._file, kind, "r", shape=shape, order=order))


def chosen(images: "Images", rows: "NDArray[np.bool_]", source: str, small: int = SMALL) -> "Images":
    """A copy of the marked rows: in memory when it takes no more than `small` bytes, else on the disk."""
    import numpy as np

    picked = rows.nonzero()[0]
    shape = (len(picked), *images.shape[1:])
    if (row := images[:1].nbytes) * len(picked) <= small:
        return images[picked]
    with Scratch(source) as scratch:
        for part in np.array_split(picked, max(1, row * len(picked) // BLOCK)):
            scratch.append(images[part])
        taken: Images = scratch.mapped(shape)
        return taken
