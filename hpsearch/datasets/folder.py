"""One's own pictures, in folders that are named by their classes."""

from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.datasets import storing
from hpsearch.datasets.content import About, Content, Part, negative
from hpsearch.datasets.faults import Faults, short
from hpsearch.datasets.mapping import as_read
from hpsearch.datasets.memory import refuse_beyond_memory
from hpsearch.datasets.own import as_size, as_test, assemble, marks_of_many, not_read, outlined, share_of, told_apart_by
from hpsearch.datasets.picture_files import Classes, find_classes, find_sides, left_out
from hpsearch.datasets.pictures import NotRead, grey, is_coloured
from hpsearch.datasets.scratch import Scratch
from hpsearch.errors import DataRefused
from hpsearch.paths import expanded
from hpsearch.protocols import Outline, Prepared, Progress

if TYPE_CHECKING:
    from hpsearch.datasets.content import Labels

MEND = "mend or remove these, or bring all pictures to one size with data.size = [height, width]"
HELD_OUT = ", or hold out a share of those that train: data.test = 0.2"
LOOKED_AT = 10  # classes, the first picture of each


class Folder:
    """A folder with a subfolder for each class, or with `train` and perhaps `test`, which have these subfolders.

    Pictures are PNG, JPEG, BMP, WebP or TIFF, and become grey.
    """

    about = About(None, None, None, "that of your pictures", "your own pictures (data.folder)")

    def __init__(
        self,
        folder: Path | str,
        train: str | None = None,
        test: str | float | None = None,
        size: list[int] | None = None,
        *,
        invert: bool | None = None,
        allow_empty_class: bool = False,
    ) -> None:
        """Choose the subfolders to train and test on, or the share to test on; scale pictures to height × width.

        Raises ValueError.
        """
        self._folder, self._train_name = expanded(folder), train
        self._test, self._size = as_test(test), as_size(size)
        self._invert, self._allow_empty_class = bool(invert), allow_empty_class

    def outline(self) -> Outline:
        """Count the files, and look at the first for the shape; raise DataRefused.

        Where rows are to be held out and images occur twice, prepare() may come to a few rows more or fewer.
        """
        train, test = self._sides()
        labels = _labels(train, list(train))
        share = None if test else share_of(self._test)
        return outlined(labels, dict(enumerate(train)), share, self._size or self._first(train))

    def prepare(self, progress: Progress) -> Prepared:
        """Read, check and store the pictures unless that was done since they last changed; raise DataRefused."""
        train, test = self._sides()
        identity = {
            "files": [[marks_of_many(files) for files in side.values()] for side in (train, test or {})],
            "classes": list(train),
            "size": self._size,
            **told_apart_by(
                None if test else share_of(self._test), allow_empty_class=self._allow_empty_class, invert=self._invert
            ),
        }
        return storing.keep_once(
            "folder", identity, lambda: self._collect(train, test, progress), allow_empty_class=self._allow_empty_class
        )

    def left_out(self) -> str:
        """Warn of folders beside the two parts, such as `val`, and of colours.

        What validates is taken from the training pictures.
        """
        train, test = self._found()
        beside = [short(name) for name in left_out(self._folder, train, test)]
        folders = not_read(
            self._folder, beside, f"{train.name}; what is moved there is used", tested=test is not None,
            mend=f'data.test = "{beside[0]}" would test on {beside[0]}' if beside else "",
        )  # fmt: skip
        firsts = [files[0] for files in find_classes(train).values() if files][:LOOKED_AT]
        colours = f"warning: {train}: of pictures in colour, their brightness alone is read"
        return "\n".join(filter(None, [folders, colours if any(map(is_coloured, firsts)) else ""]))

    def _found(self) -> tuple[Path, Path | None]:
        """The folders of the two sides; None for the second where a share of the first is held out."""
        named = self._test if isinstance(self._test, str) else None
        train, test = find_sides(self._folder, self._train_name, named)
        return train, None if isinstance(self._test, float) else test

    def _sides(self) -> tuple[Classes, Classes | None]:
        train_side, test_side = self._found()
        train = find_classes(train_side)
        if test_side is None:
            return train, None
        names = {as_read(name): name for name in train}
        test = {names.get(as_read(name), name): files for name, files in find_classes(test_side, HELD_OUT).items()}
        if strange := [name for name in test if name not in train]:
            shown = ", ".join(map(short, strange[:5]))
            message = f"{test_side}: classes that {train_side.name} has not: {shown}\n  mend the names"
            raise DataRefused(message)
        return train, test

    def _first(self, classes: Classes) -> tuple[int, int]:
        """The shape of the first picture."""
        first = next((file for files in classes.values() for file in files), None)
        if first is None:
            message = f"{self._folder}: holds no pictures\n  put them into the folders of their classes"
            raise DataRefused(message)
        try:
            height, width = grey(first, None).shape
        except NotRead as wrong:
            message = f"{first}: {wrong}\n  mend or remove it"
            raise DataRefused(message) from wrong
        return height, width

    def _collect(self, train: Classes, test: Classes | None, progress: Progress) -> Content:
        names = list(train)
        shape = self._size or self._first(train)
        rows = self._part("train" if test else "", train, names, shape, progress)
        others = self._part("test", test, names, shape, progress) if test else share_of(self._test)
        return assemble("folder", names, rows, others)

    def _part(self, what: str, classes: Classes, names: list[str], shape: tuple[int, int], progress: Progress) -> Part:
        """Read the pictures of one side, or of both ("") before they are divided; by way of the disk."""
        files = [file for found in classes.values() for file in found]
        source = f"{self._folder} ({what})" if what else str(self._folder)
        refuse_beyond_memory(source, len(files) * shape[0] * shape[1])
        faults = Faults(source, MEND)
        with Scratch(source) as scratch:
            for done, file in enumerate(files, start=1):
                try:
                    scratch.append(negative(grey(file, shape, scaled=self._size is not None), self._invert))
                except NotRead as wrong:
                    faults.add("/".join(map(short, file.parts[-2:])), str(wrong))
                if faults.enough:
                    break
                progress(what or "pictures", done, len(files))
            faults.refuse([(name, len(found)) for name, found in classes.items()], "pictures per class")
            images = scratch.mapped((len(files), *shape))
            return Part(images, _labels(classes, names), source, self._invert)


def _labels(classes: Classes, names: list[str]) -> "Labels":
    import numpy as np

    places = np.array([names.index(name) for name in classes], np.int64)
    return np.repeat(places, [len(files) for files in classes.values()])
