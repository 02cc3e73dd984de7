"""Finds the pictures of a folder that has a subfolder for each class."""

import os
from pathlib import Path

from hpsearch.datasets.faults import Faults, short
from hpsearch.datasets.mapping import as_read
from hpsearch.datasets.pictures import ENDINGS
from hpsearch.datasets.places import refuse_unless_folder
from hpsearch.errors import DataRefused
from hpsearch.natural import natural

LEFT_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r"}  # in small letters
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}  # in small letters
MEND = "take these out of the folder, or mend them; the folder that holds those of the classes is named by data.train"

Classes = dict[str, list[Path]]


def find_sides(folder: Path, train: str | None, test: str | None) -> tuple[Path, Path | None]:
    """The folders of the training and test pictures: those named so, or `train` and `test`, or the folder itself.

    A `train` that holds pictures and no folder is a class among others, of trains.
    """
    refuse_unless_folder(folder, "mend data.folder")
    if train is None and (folder / "train").is_dir() and not _is_class(folder / "train"):
        train = "train"
    for key, name in (("train", train), ("test", test)):
        if name and not (folder / name).is_dir():
            there = ", ".join([entry.name for entry in _entries(folder) if entry.is_dir()][:20])
            message = f"{folder}: has no folder {name!r}\n  there are: {there or 'none'}; mend data.{key}"
            raise DataRefused(message)
    if test and train and (folder / test).samefile(folder / train):
        message = f"{folder}: {test!r} would both train and test\n  mend data.train or data.test"
        raise DataRefused(message)
    if train is None:
        _refuse_sides_for_classes(folder)
    if test is None and train not in {None, "test"} and (folder / "test").is_dir():
        test = "test"
    return folder / (train or ""), folder / test if test else None


def left_out(folder: Path, train_side: Path, test_side: Path | None) -> list[str]:
    """The folders beside those of the training and test pictures, which nobody reads."""
    if train_side == folder:
        return []
    read = {above for side in (train_side, test_side) if side for above in (side, *side.parents)}
    folders = [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]
    return [beside.name for beside in folders if not any(map(beside.samefile, read))]


def find_classes(side: Path, otherwise: str = "") -> Classes:
    """The pictures of each class, both in the order in which people count; raise DataRefused for what is no picture.

    `otherwise` is what else can be done about a side that holds no folders.
    """
    faults = Faults(str(side), MEND)
    try:
        classes = {folder.name: _pictures(folder, faults) for folder in _folders(side, faults)}
    except OSError as error:
        message = f"{error.filename or side}: cannot be read ({error.strerror})\n  make the folder readable for you"
        raise DataRefused(message) from error
    if not classes:
        message = f"{side}: holds no folders\n  put the pictures into a folder for each class, named by it{otherwise}"
        raise DataRefused(message)
    faults.refuse()
    return classes


def left_by_system(name: str) -> bool:
    """Whether it is the name of no class and no picture, but of what systems put into any folder."""
    return name.startswith(".") or name.lower() in LEFT_BY_SYSTEMS


def _refuse_sides_for_classes(folder: Path) -> None:
    """Raise DataRefused where what would be the folders of the classes look like two sides, by content or by name.

    A model of those would learn to tell the pictures that train from those that test, and nobody would hear of it.
    """
    try:
        sides = [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]
        nested = all(map(_holds_folders_alone, sides))
        named = all(side.name.casefold() in PARTS and _is_class(side) for side in sides)
    except OSError:  # find_classes says so
        return
    if not sides or not (nested or named):
        return
    names = [short(side.name) for side in sides]
    train, test = _beginning_with(names, "train"), _beginning_with(names, "test", "val")
    if nested:
        keys = f'data.train = "{train or "…"}"' + (f', data.test = "{test}"' if test else "")
        message = (
            f"{folder}: its folders hold folders and no pictures: {', '.join(names[:5])}{', …' if names[5:] else ''}\n"
            f"  where they are the parts to train and to test on, say so: {keys}\n"
            "  where they are the classes, put the pictures straight into them"
        )
    else:
        message = (
            f"{folder}: its folders are named as parts to train and to test on: {', '.join(names)}\n"
            f"  where they are, put the pictures into a folder for each class: {train or names[0]}/CLASS/\n"
            "  where they are the classes, name one of them otherwise"
        )
    raise DataRefused(message)


def _holds_folders_alone(folder: Path) -> bool:
    entries = _entries(folder)
    return bool(entries) and all(entry.is_dir() for entry in entries)


def _beginning_with(names: list[str], *beginnings: str) -> str | None:
    return next((name for start in beginnings for name in names if name.casefold().startswith(start)), None)


def _is_class(folder: Path) -> bool:
    """Whether it holds pictures, and no folders; no where it cannot be looked into, which is told later."""
    try:
        entries = _entries(folder)
    except OSError:
        return False
    pictures = any(Path(entry.name).suffix.lower() in ENDINGS for entry in entries)
    return pictures and not any(entry.is_dir() for entry in entries)


def _folders(side: Path, faults: Faults) -> list[Path]:
    found: list[Path] = []
    seen: set[str] = set()
    for entry in _entries(side):
        if entry.is_dir():
            found.append(Path(entry.path))
            if not entry.name.isprintable():
                faults.add(short(entry.name), "can be the name of no class")
            if as_read(entry.name) in seen:
                faults.add(entry.name, "two folders are named so, in two forms of Unicode; put them together")
            seen.add(as_read(entry.name))
        elif Path(entry.name).suffix.lower() in ENDINGS:
            faults.add(short(entry.name), "lies beside the folders of the classes, so it has no class")
    return found


def _pictures(folder: Path, faults: Faults) -> list[Path]:
    found = []
    for entry in _entries(folder):
        if entry.is_file() and Path(entry.name).suffix.lower() in ENDINGS:
            found.append(Path(entry.path))
        else:
            faults.add(f"{short(folder.name)}/{short(entry.name)}", _oddity(entry))
    return found


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not left_by_system(entry.name)]
    return sorted(seen, key=lambda entry: natural(entry.name))


def _oddity(entry: "os.DirEntry[str]") -> str:
    if entry.is_dir():
        return "a folder within the folder of a class"
    return f"no picture (known: {' '.join(sorted(ENDINGS))})" if entry.is_file() else "no file that can be read"
