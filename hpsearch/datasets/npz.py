"""One's own images in a NumPy archive, as Keras's mnist.npz is one."""

from pathlib import Path

from hpsearch.datasets import npz_archive, storing
from hpsearch.datasets.content import About, Content, Part, negative
from hpsearch.datasets.idx_pair import as_positions
from hpsearch.datasets.mapping import class_names, find_mapping
from hpsearch.datasets.memory import refuse_beyond_memory
from hpsearch.datasets.npz_pairs import Pair, find_test, find_train, two_names, unused_images
from hpsearch.datasets.npz_values import class_numbers, height_width, pixels
from hpsearch.datasets.own import as_size, as_test, assemble, marks, not_read, outlined, share_of, told_apart_by
from hpsearch.datasets.scratch import Scratch
from hpsearch.paths import expanded
from hpsearch.protocols import Outline, Prepared, Progress


class Npz:
    """An `.npz` archive of images and labels; without test arrays a share of the rows is held out for testing."""

    about = About(None, None, None, "that of your file", "your own NumPy archive (data.file)")

    def __init__(  # noqa: PLR0913  # the keys of [data]
        self,
        file: Path | str,
        train: str | None = None,
        test: str | float | None = None,
        size: list[int] | None = None,
        *,
        transposed: bool = False,
        invert: bool | None = None,
        allow_empty_class: bool = False,
    ) -> None:
        """Choose arrays by two names, "images, labels"; `size` is for images that are rows of pixels.

        Raises ValueError.
        """
        self._file, self._size = expanded(file), as_size(size)
        self._train = two_names("train", train) if train else None
        self._test = two_names("test", test) if isinstance(test, str) else as_test(test)
        self._transposed, self._invert, self._allow_empty_class = transposed, bool(invert), allow_empty_class

    def outline(self) -> Outline:
        """Tell the shape from the headers, and the classes and rows from the labels; raise DataRefused.

        Where rows are to be held out and images occur twice, prepare() may come to a few rows more or fewer.
        """
        train, test, mapping = self._found()
        shape = height_width(train.images, self._size)
        labels = class_numbers(train.labels)
        names = class_names(mapping, set(labels.tolist()))
        share = None if test else share_of(self._share)
        return outlined(labels, names, share, shape[:: -1 if self._transposed else 1])

    def prepare(self, progress: Progress) -> Prepared:
        """Read, check and store the arrays unless that was done since the file last changed; raise DataRefused."""
        train, test, mapping = self._found()
        identity = {
            "files": [marks(path) for path in (self._file, mapping) if path],
            "arrays": [(pair.images.name, pair.labels.name) for pair in (train, test) if pair],
            "size": self._size,
            "transposed": self._transposed,
            **told_apart_by(
                None if test else share_of(self._share), allow_empty_class=self._allow_empty_class, invert=self._invert
            ),
        }
        return storing.keep_once(
            "npz", identity, lambda: self._collect(train, test, mapping, progress),
            allow_empty_class=self._allow_empty_class,
        )  # fmt: skip

    def left_out(self) -> str:
        """Warn of arrays that look as the training images do, such as `x_val`: what validates is taken from those."""
        train, test, _ = self._found()
        return not_read(
            self._file, unused_images(self._file, train, test),
            f"{train.images.name}; what is joined to it there is used", tested=test is not None,
            mend="data.test names images and labels to test on",
        )  # fmt: skip

    @property
    def _share(self) -> float | None:
        return self._test if isinstance(self._test, float) else None

    def _found(self) -> tuple[Pair, Pair | None, Path | None]:
        there = npz_archive.names(self._file)
        train = find_train(self._file, there, self._train)
        wanted = self._test if isinstance(self._test, tuple) else None
        test = None if self._share else find_test(self._file, there, wanted, train.images.name)
        return train, test, find_mapping(self._file.parent, self._file.stem)

    def _collect(self, train: Pair, test: Pair | None, mapping: Path | None, progress: Progress) -> Content:
        labels = class_numbers(train.labels)
        names = class_names(mapping, set(labels.tolist()))
        rows = as_positions(self._part(train, progress), list(names))
        others = as_positions(self._part(test, progress), list(names)) if test else share_of(self._share)
        return assemble("npz", list(names.values()), rows, others)

    def _part(self, pair: Pair, progress: Progress) -> Part:
        """Read a pair; the images come by way of the disk."""
        height, width = height_width(pair.images, self._size)
        rows, done = pair.images.shape[0], 0
        refuse_beyond_memory(str(pair.images), rows * height * width)
        labels = class_numbers(pair.labels)
        with Scratch(str(pair.images)) as scratch:
            for block in pixels(pair.images, (height, width)):
                scratch.append(negative(block.transpose(0, 2, 1) if self._transposed else block, self._invert))
                done += len(block)
                progress(pair.images.name, done, rows)
            shape = (width, height) if self._transposed else (height, width)
            return Part(scratch.mapped((rows, *shape)), labels, str(pair.images), self._invert)
