"""Names classes, by EMNIST's mapping files: on each line a label, then the code points of what it stands for."""

from collections.abc import Collection
from pathlib import Path
from unicodedata import normalize

from hpsearch.errors import DataRefused

MOST_BYTES = 1 << 20
ENDING = "mapping.txt"


def class_names(mapping: Path | None, labels: Collection[int]) -> dict[int, str]:
    """The name of each label; without a mapping that has all of them, every number from the lowest to the highest."""
    if mapping and set(labels) <= (names := read_mapping(mapping)).keys():
        return names
    return {label: str(label) for label in range(min(labels), max(labels) + 1)}


def find_mapping(folder: Path, stem: str, *, alone: bool = False) -> Path | None:
    """The mapping file of a folder whose name begins as `stem` does, or is no more than mapping.txt.

    With `alone`, where a folder holds one data set, the only mapping file belongs to it whatever it is called.
    """
    files = sorted(path for path in folder.glob(f"*{ENDING}") if path.is_file() and path.name[0] != ".")
    named = [path for path in files if stem.startswith(path.name.removesuffix(ENDING).rstrip("-._"))]
    if named:
        return max(named, key=lambda path: len(path.name))
    return files[0] if alone and len(files) == 1 else None


def read_mapping(path: Path) -> dict[int, str]:
    """The class name of each label, in ascending order of labels; raise DataRefused with the first bad line.

    Several code points, as in the letters split ("1 65 97"), make one name ("Aa").
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            _refuse(path, 1, "too long for a mapping")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read as text ({error})\n  mend it, or take it out of the folder"
        raise DataRefused(message) from error
    names: dict[int, str] = {}
    named: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            label, name = _entry(path, number, line)
            if label in names:
                _refuse(path, number, f"label {label} comes twice")
            if other := named.get(as_read(name)):
                _refuse(path, number, f"label {label} is named {name!r}, as label {other} is")
            names[label], named[as_read(name)] = name, str(label)
    return dict(sorted(names.items()))


def as_read(name: str) -> str:
    """A class name in one form for all that look the same: macOS parts letters from their accents, others do not."""
    return normalize("NFC", name)


def _entry(path: Path, number: int, line: str) -> tuple[int, str]:
    try:
        label, *points = (int(word) for word in line.split())
        name = "".join(map(chr, points))
    except (ValueError, OverflowError):
        label, name = -1, ""
    if label < 0 or not name.isprintable() or not name:
        _refuse(path, number, "must be a label, then the code points of its characters, as in '10 65'")
    return label, name


def _refuse(path: Path, line: int, what: str) -> None:
    message = f"{path}, line {line}: {what}\n  mend it, or take the file out of the folder"
    raise DataRefused(message)
