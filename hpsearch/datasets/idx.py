"""One's own images in IDX files, the format of MNIST and EMNIST."""

from pathlib import Path
from typing import Literal

from hpsearch.datasets import idx_format, storing
from hpsearch.datasets.content import About, Content, Part
from hpsearch.datasets.held_out import DEFAULT_SHARE, as_share, divide, expected_rows
from hpsearch.datasets.idx_files import Pair, find_mapping, find_test, find_train
from hpsearch.datasets.idx_pair import as_positions, read_labels, read_pair, refuse_unequal
from hpsearch.datasets.mapping import read_mapping
from hpsearch.datasets.soundness import refuse_unsound
from hpsearch.protocols import Outline, Prepared, Progress


class Idx:
    """A folder of idx files, plain or gzipped; without test files a share of the rows is held out for testing.

    Class names come from a `…mapping.txt` beside them if it has all labels that occur, else they are the labels.
    """

    about = About(None, None, None, "that of your files", "your own folder (data.folder)")

    def __init__(
        self,
        folder: Path | str | None,
        train: str | None = None,
        test: str | float | None = None,
        *,
        transposed: bool = False,
        allow_empty_class: bool = False,
    ) -> None:
        """Choose files by the beginning of their names, or by a share `test` hold rows out; raise ValueError."""
        if folder is None:
            message = 'source "idx" needs data.folder, the folder that holds the files'
            raise ValueError(message)
        self._folder, self._train_name = Path(folder).expanduser(), train
        self._test = test if test is None or isinstance(test, str) else as_share(test)
        self._transposed, self._allow_empty_class = transposed, allow_empty_class

    def outline(self) -> Outline:
        """Tell the shape from the headers, and the classes and rows from the labels, a byte each; raise DataRefused.

        Where rows are to be held out and images occur twice, prepare() may come to a few rows more or fewer.
        """
        train, test, mapping = self._files()
        refuse_unequal(train.images, train.labels)
        rows, *shape = idx_format.read_shape(train.images, 3)
        if self._transposed:
            shape.reverse()
        labels = read_labels(train.labels)
        names = _class_names(mapping, labels.tolist())
        if test is None:
            rows -= expected_rows(labels, self._share)
        else:
            refuse_unequal(test.images, test.labels)
        return Outline(rows, len(names), tuple(shape))

    def prepare(self, progress: Progress) -> Prepared:
        """Read, check and store the arrays unless that was done since the files last changed; raise DataRefused."""
        train, test, mapping = self._files()
        files = [train.images, train.labels, *([test.images, test.labels] if test else []), mapping]
        identity = {
            "files": [_marks(path) for path in files if path],
            "transposed": self._transposed,
            "share": None if test else self._share,
            "allow_empty_class": self._allow_empty_class,
        }
        return storing.keep_once("idx", identity, lambda: self._collect(train, test, mapping, progress))

    @property
    def _share(self) -> float:
        return self._test if isinstance(self._test, float) else DEFAULT_SHARE

    def _files(self) -> tuple[Pair, Pair | None, Path | None]:
        train = find_train(self._folder, self._train_name)
        name = self._test if isinstance(self._test, str) else None
        test = None if isinstance(self._test, float) else find_test(self._folder, name, train)
        return train, test, find_mapping(self._folder, train)

    def _collect(self, train: Pair, test: Pair | None, mapping: Path | None, progress: Progress) -> Content:
        progress("train", 0, None)
        rows = read_pair(train.images, train.labels, transposed=self._transposed)
        names = _class_names(mapping, rows.labels.tolist())
        train_part, test_part = self._parts(as_positions(rows, list(names)), test, list(names))
        test_from: Literal["official", "content-hash"] = "official" if test else "content-hash"
        content = Content("idx", tuple(names.values()), train_part, test_part, test_from, "")
        refuse_unsound(content, allow_empty_class=self._allow_empty_class)
        progress("test", len(test_part.labels), len(test_part.labels))
        return content

    def _parts(self, rows: Part, test: Pair | None, labels: list[int]) -> tuple[Part, Part]:
        if test is None:
            return divide(rows, self._share)
        return rows, as_positions(read_pair(test.images, test.labels, transposed=self._transposed), labels)


def _class_names(mapping: Path | None, labels: list[int]) -> dict[int, str]:
    """The name of each label; without a mapping that has all of them, every number from the lowest to the highest."""
    if mapping and set(labels) <= (names := read_mapping(mapping)).keys():
        return names
    return {label: str(label) for label in range(min(labels), max(labels) + 1)}


def _marks(path: Path) -> list[str | int]:
    """What changes when a file does; the time of the last change of its inode betrays a set-back clock."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]
