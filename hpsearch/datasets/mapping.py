"""Reads EMNIST's mapping files: on each line a label, then the code points of the characters it stands for."""

from pathlib import Path

from hpsearch.errors import DataRefused

MOST_BYTES = 1 << 20


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
    for number, line in enumerate(lines, start=1):
        if line.strip():
            label, name = _entry(path, number, line)
            if label in names:
                _refuse(path, number, f"label {label} comes twice")
            names[label] = name
    return dict(sorted(names.items()))


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
