"""One's own images in IDX files, the format of MNIST and EMNIST."""

from pathlib import Path

from hpsearch.datasets import idx_format, storing
from hpsearch.datasets.content import About, Content, Part
from hpsearch.datasets.idx_files import Pair, find_test, find_train, unused_images
from hpsearch.datasets.idx_pair import as_positions, read_labels, read_pair, refuse_unequal
from hpsearch.datasets.mapping import class_names, find_mapping
from hpsearch.datasets.own import as_test, assemble, marks, not_read, outlined, share_of, told_apart_by
from hpsearch.paths import expanded
from hpsearch.protocols import Outline, Prepared, Progress


class Idx:
    """A folder of idx files, plain or gzipped; without test files a share of the rows is held out for testing.

    Class names come from a `…mapping.txt` beside them if it has all labels that occur, else they are the labels.
    """

    about = About(None, None, None, "that of your files", "your own folder (data.folder)")

    def __init__(
        self,
        folder: Path | str,
        train: str | None = None,
        test: str | float | None = None,
        *,
        transposed: bool = False,
        invert: bool | None = None,
        allow_empty_class: bool = False,
    ) -> None:
        """Choose files by the beginning of their names, or by a share `test` hold rows out; raise ValueError."""
        self._folder, self._train_name = expanded(folder), train
        self._test = as_test(test)
        self._transposed, self._invert, self._allow_empty_class = transposed, bool(invert), allow_empty_class

    def outline(self) -> Outline:
        """Tell the shape from the headers, and the classes and rows from the labels, a byte each; raise DataRefused.

        Where rows are to be held out and images occur twice, prepare() may come to a few rows more or fewer.
        """
        train, test, mapping = self._files()
        refuse_unequal(train.images, train.labels)
        _, *shape = idx_format.read_shape(train.images, 3)
        if self._transposed:
            shape.reverse()
        if test:
            refuse_unequal(test.images, test.labels)
        labels = read_labels(train.labels)
        names = class_names(mapping, set(labels.tolist()))
        return outlined(labels, names, None if test else share_of(self._test), shape)

    def prepare(self, progress: Progress) -> Prepared:
        """Read, check and store the arrays unless that was done since the files last changed; raise DataRefused."""
        train, test, mapping = self._files()
        files = [train.images, train.labels, *([test.images, test.labels] if test else []), mapping]
        identity = {
            "files": [marks(path) for path in files if path],
            "transposed": self._transposed,
            **told_apart_by(
                None if test else share_of(self._test), allow_empty_class=self._allow_empty_class, invert=self._invert
            ),
        }
        return storing.keep_once(
            "idx", identity, lambda: self._collect(train, test, mapping, progress),
            allow_empty_class=self._allow_empty_class,
        )  # fmt: skip

    def left_out(self) -> str:
        """Warn of files named as the training images, such as `valid-…`: what validates is taken from those."""
        train, test, _ = self._files()
        return not_read(
            self._folder, unused_images(self._folder, train, test), train.images.name, tested=test is not None,
            mend="data.test is the beginning of the name of files to test on",
        )  # fmt: skip

    def _files(self) -> tuple[Pair, Pair | None, Path | None]:
        train = find_train(self._folder, self._train_name)
        name = self._test if isinstance(self._test, str) else None
        test = None if isinstance(self._test, float) else find_test(self._folder, name, train)
        return train, test, find_mapping(self._folder, train.stem, alone=True)

    def _collect(self, train: Pair, test: Pair | None, mapping: Path | None, progress: Progress) -> Content:
        progress("train", 0, None)
        rows = read_pair(train.images, train.labels, transposed=self._transposed, invert=self._invert)
        names = class_names(mapping, set(rows.labels.tolist()))
        labels = list(names)
        others: Part | float = share_of(self._test)
        if test:
            pair = read_pair(test.images, test.labels, transposed=self._transposed, invert=self._invert)
            others = as_positions(pair, labels)
        content = assemble("idx", list(names.values()), as_positions(rows, labels), others)
        progress("test", len(content.test.labels), len(content.test.labels))
        return content
