"""One's own images in tables of comma-separated values, as Kaggle has MNIST and EMNIST."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.datasets import storing, table_lines
from hpsearch.datasets.content import About, Content, Part, negative
from hpsearch.datasets.faults import Faults
from hpsearch.datasets.idx_pair import as_positions
from hpsearch.datasets.mapping import class_names, find_mapping
from hpsearch.datasets.own import as_size, as_test, assemble, marks, not_read, share_of, told_apart_by
from hpsearch.datasets.picture_files import PARTS
from hpsearch.datasets.places import refuse_unless_file
from hpsearch.datasets.scratch import Scratch
from hpsearch.datasets.table_lines import Block
from hpsearch.datasets.table_values import Columns, columns, numbers
from hpsearch.errors import DataRefused
from hpsearch.paths import expanded
from hpsearch.protocols import Outline, Prepared, Progress

if TYPE_CHECKING:
    from hpsearch.datasets.content import Images
    from hpsearch.datasets.table_values import Numbers

MEND = "mend these places; a row is a label, then pixels, whole numbers from 0 to 255"


class Csv:
    """A `.csv` or `.csv.gz` file, a label and then the pixels on each line; test rows are another file, or a share."""

    about = About(None, None, None, "that of your file", "your own table (data.file)")

    def __init__(
        self,
        file: Path | str,
        test: str | float | None = None,
        size: list[int] | None = None,
        *,
        transposed: bool = False,
        invert: bool | None = None,
        allow_empty_class: bool = False,
    ) -> None:
        """Test on another table, named from the folder of the first, or hold a share out; raise ValueError.

        `size` is for images that are no squares.
        """
        self._file, self._test, self._size = expanded(file), as_test(test), as_size(size)
        self._transposed, self._invert, self._allow_empty_class = transposed, bool(invert), allow_empty_class

    def outline(self) -> Outline | None:
        """Tell nothing, since a table says how many rows it has only when it is read; raise DataRefused without one."""
        self._test_file()
        return None

    def prepare(self, progress: Progress) -> Prepared:
        """Read, check and store the rows unless that was done since the files last changed; raise DataRefused."""
        test = self._test_file()
        mapping = find_mapping(self._file.parent, self._file.name)
        identity = {
            "files": [marks(path) for path in (self._file, test, mapping) if path],
            "size": self._size,
            "transposed": self._transposed,
            **told_apart_by(
                None if test else share_of(self._test), allow_empty_class=self._allow_empty_class, invert=self._invert
            ),
        }
        return storing.keep_once(
            "csv", identity, lambda: self._collect(test, mapping, progress), allow_empty_class=self._allow_empty_class
        )

    def left_out(self) -> str:
        """Warn of tables named as this one, such as `…_test.csv`: what tests or validates is taken from this one."""
        test = self._test_file()
        beside = [name for name in _named_alike(self._file) if not (test and name == test.name)]
        return not_read(
            self._file.parent, beside, self._file.name, tested=test is not None,
            mend=f'data.test = "{beside[0]}" would test on it, if it has labels' if beside else "",
        )  # fmt: skip

    def _test_file(self) -> Path | None:
        """The table to test on, if there is one; raise DataRefused unless the tables are there, and are two."""
        test = self._file.parent / expanded(self._test) if isinstance(self._test, str) else None
        for file in filter(None, (self._file, test)):
            refuse_unless_file(file, "mend data.file or data.test")
        if test and test.samefile(self._file):
            message = f"{test}: would both train and test\n  mend data.file or data.test"
            raise DataRefused(message)
        return test

    def _collect(self, test: Path | None, mapping: Path | None, progress: Progress) -> Content:
        rows = self._read(self._file, progress)
        _refuse_one_label(rows)
        names = class_names(mapping, set(rows.labels.tolist()))
        others: Part | float = share_of(self._test)
        if test:
            others = as_positions(self._read(test, progress), list(names))
        return assemble("csv", list(names.values()), as_positions(rows, list(names)), others)

    def _read(self, path: Path, progress: Progress) -> Part:
        """All rows of a table; the images come by way of the disk. Raise DataRefused with the first faults."""
        import numpy as np

        labels: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        faults, layout, rows = Faults(str(path), MEND), None, 0
        with Scratch(str(path)) as scratch:
            for block in table_lines.blocks(path):
                layout, lines = (layout, block) if layout else _begun(path, block, self._size)
                found = numbers(lines, layout, faults)
                rows += len(found)
                labels.append(found[:, layout.label].astype(np.int64))
                scratch.append(negative(_images(found, layout, transposed=self._transposed), self._invert))
                progress(path.name, rows, None)
                if faults.enough:
                    break
            together = np.concatenate(labels) if labels else np.empty(0, np.int64)
            counts = [(str(label), int(count)) for label, count in zip(*np.unique_counts(together), strict=True)]
            faults.refuse(counts, f"sound rows per class{', until there' if faults.enough else ''}")
            if layout is None or not rows:
                message = f"{path}: holds no rows\n  name a table with rows in it"
                raise DataRefused(message)
            shape = layout.shape[::-1] if self._transposed else layout.shape
            return Part(scratch.mapped((rows, *shape)), together, str(path), self._invert)


def _named_alike(file: Path) -> list[str]:
    """The tables beside this one that are named as it is, but for a word such as train or test."""
    own = _words(file)
    try:
        beside = sorted(path for path in file.parent.iterdir() if _words(path) != own)
    except OSError:  # a folder that may not be listed
        return []
    return [path.name for path in beside if _whatever_for(_words(path)) == _whatever_for(own)]


def _words(file: Path) -> list[str]:
    return re.split(r"[-._ ]", file.name.lower().removesuffix(".gz"))


def _whatever_for(words: list[str]) -> list[str]:
    return ["" if word in PARTS else word for word in words]


def _refuse_one_label(rows: Part) -> None:
    """Raise DataRefused where all labels are one: those of a table with the labels last are the pixels of a corner."""
    if (rows.labels == rows.labels[0]).all():
        message = (
            f"{rows.source}: all {len(rows.labels):,} rows are of one class, '{rows.labels[0]}'"
            "\n  labels are the first number of each line, unless a header names their column 'label'"
        )
        raise DataRefused(message)


def _begun(path: Path, block: Block, size: tuple[int, int] | None) -> tuple[Columns, Block]:
    """The layout, by the first line, and the lines below it if that is a header."""
    first, end, rest = block.text.partition(b"\n")
    layout = columns(path, first + end, size)
    return layout, Block(block.first + 1, rest) if layout.header else block


def _images(found: "Numbers", layout: Columns, *, transposed: bool) -> "Images":
    import numpy as np

    images = np.delete(found, layout.label, axis=1).astype(np.uint8).reshape(-1, *layout.shape)
    return images.transpose(0, 2, 1) if transposed else images
