"""Keeps images whose answers a person corrected, as the data set `folder` reads them: a folder for each class."""

import hashlib
import os
import re
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from hpsearch import files
from hpsearch.datasets.picture_files import left_by_system
from hpsearch.errors import FolderUnusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 200  # bytes of a folder's name, of the 255 that disks take
# What can be no name of a folder, here or where the folder is copied to: Windows has the longest list.
UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*%]|^\.|[. ]$')
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class Corrections:
    """The kept images of a model's classes; each is kept once, under the class that was said last."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made when there is something to keep."""
        self.folder = folder
        self._turn = Lock()  # the page keeps from several threads, and one could take another's empty folder away

    def keep(self, image: "NDArray[np.uint8]", class_name: str) -> Path:
        """Write an image (uint8, height × width) as PNG into the folder of its class; raise FolderUnusable."""
        with self._turn:
            return self._keep(image, class_name)

    def _keep(self, image: "NDArray[np.uint8]", class_name: str) -> Path:
        from PIL import Image

        home = self._home(folder_name(class_name))
        name = f"{hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()[:24]}.png"
        try:
            files.write(home / name, lambda temporary: Image.fromarray(image).save(temporary, "PNG"))
        finally:
            _leave_if_empty(home)
        for other in self.folder.glob(f"*/{name}"):
            if other.parent.name != home.name:
                other.unlink()
                _leave_if_empty(other.parent)
        return home / name

    def count(self) -> int:
        """How many are kept."""
        return sum(1 for _ in self.folder.glob("*/[!.]*.png"))

    def _home(self, name: str) -> Path:
        home = files.make(self.folder / name)
        if name not in os.listdir(self.folder):  # noqa: PTH208  # names alone; the disk takes `A` for `a`
            what = f"this disk cannot tell {name} from another class whose name differs in case only"
            message = f"{home}: {what}\n  choose a place on another disk with --corrections"
            raise FolderUnusable(message)
        return home


def folder_name(class_name: str) -> str:
    """The name of the folder for a class: the class's own, unless that can be none; then with %-signs for the rest."""
    name = UNFIT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), class_name)
    if DEVICES.match(name) or left_by_system(name) or not name:
        name = f"%{name}"
    if len(name.encode()) > LONGEST or not name.isprintable():
        name = f"%{hashlib.sha256(class_name.encode(errors='surrogatepass')).hexdigest()[:24]}"
    return name


def _leave_if_empty(folder: Path) -> None:
    """A folder without images would be a class without rows, which a study refuses; a folder in it is somebody's."""
    left = list(folder.iterdir())
    if all(left_by_system(entry.name) and not entry.is_dir() for entry in left):
        for entry in left:
            entry.unlink()
        folder.rmdir()
