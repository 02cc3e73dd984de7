"""Refuses a data set that cannot be learnt from, with all that is wrong in one error."""

from collections.abc import Iterator

from hpsearch.datasets.content import Content, Part, per_class
from hpsearch.datasets.faults import listed
from hpsearch.errors import DataRefused

FIRST = 5
IMAGE_AXES = 3
NUMBERED = "number the classes without gaps, as numpy.unique(labels, return_inverse=True)[1] does"
FIGURES = {"accuracy", "micro avg", "macro avg", "weighted avg"}  # which a classification report has beside classes


def refuse_unsound(content: Content, *, allow_empty_class: bool) -> None:
    """Raise DataRefused for wrong shapes or types, unequal counts, labels without a class, or missing rows.

    `allow_empty_class` lets a class without rows pass, but not a data set in which there is one class only.
    """
    classes = len(content.class_names)
    faults = list(_misnamed(content))
    faults += [fault for part in (content.train, content.test) for fault in _faults(part, classes)]
    if not faults:
        faults = [*_indistinct(content), *_unlike(content)]
    if not faults and not allow_empty_class:
        faults = list(_missing_classes(content))
    if faults:
        raise DataRefused("\n".join(faults))


def _faults(part: Part, classes: int) -> Iterator[str]:
    images, labels = part.images, part.labels
    if images.ndim != IMAGE_AXES or images.dtype.name != "uint8":
        yield f"{part.source}: images must be uint8, rows × height × width, not {images.dtype} {images.shape}"
    elif not len(images):
        yield f"{part.source}: holds no rows\n  name files with rows in them, or another share for data.test"
    elif not images.size:
        yield f"{part.source}: its images are {images.shape[1]} × {images.shape[2]}, without a pixel"
    if len(images) != len(labels):
        yield (
            f"{part.source}: {len(images):,} images but {len(labels):,} labels"
            "\n  the two files do not belong together; look at both names"
        )
    strange = ((labels < 0) | (labels >= classes)).nonzero()[0]
    if len(strange):
        shown = ", ".join(f"row {row}: {labels[row]}" for row in strange[:FIRST])
        yield f"{part.source}: {len(strange):,} labels outside 0 … {classes - 1} ({shown})\n  mend these rows"


def _misnamed(content: Content) -> Iterator[str]:
    for name in FIGURES.intersection(content.class_names):
        yield f"{content.train.source}: a class named {name!r} would be taken for that figure\n  name it otherwise"


def _indistinct(content: Content) -> Iterator[str]:
    source, labels = content.train.source, content.train.labels
    if (labels == labels[0]).all():
        name = content.class_names[labels[0]]
        yield f"{source}: all {len(labels):,} rows are of one class, {name!r}\n  add rows of another class"


def _unlike(content: Content) -> Iterator[str]:
    train, test = content.train, content.test
    if train.images.shape[1:] != test.images.shape[1:]:
        sizes = (" × ".join(map(str, part.images.shape[1:])) for part in (train, test))
        yield f"{test.source}: images of another size than those of {train.source} ({' and '.join(sizes)})"


def _missing_classes(content: Content) -> Iterator[str]:
    names, parts = content.class_names, (content.train, content.test)
    counts = [per_class(part.labels, len(names)) for part in parts]
    gaps = all(map(str.isdecimal, names)) and not all(map(any, zip(*counts, strict=True)))
    mends = ["add rows", *([NUMBERED] if gaps else []), "accept this with data.allow_empty_class = true"]
    for part, rows in zip(parts, counts, strict=True):
        if empty := [name for name, count in zip(names, rows, strict=True) if not count]:
            shown = ", ".join(empty[:FIRST]) + (", …" if len(empty) > FIRST else "")
            there = [(name, count) for name, count in zip(names, rows, strict=True) if count]
            yield (
                f"{part.source}: {len(empty):,} of {len(names):,} classes have no rows ({shown}); rows per class:"
                f" {listed(there)}\n  {', '.join(mends[:-1])}, or {mends[-1]}"
            )
