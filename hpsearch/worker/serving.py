"""Serves the project's modules to Python's import, in place of `sys.path`.

The finder that comes first in line serves only the package that the experiment names, the one that comes
last only names that nobody else knows, so that a `json.py` in the project shadows nothing.
No `__pycache__` is written, and no file from outside the root is served.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from hpsearch.errors import ExperimentRefused, Mistake


def serve(root: Path, name: str) -> None:
    """Put our finders in place, and forget what earlier ones served: another project's modules, or older text."""
    earlier = [finder for finder in sys.meta_path if isinstance(finder, _First)]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _First | _Last)]
    forgotten = {old for finder in earlier for old in finder.names} | ({name} if place(root, name) else set())
    for module in [module for module in list(sys.modules) if module.partition(".")[0] in forgotten]:
        del sys.modules[module]
    if place(root, name):
        first = _First(root, name)
        sys.meta_path[:] = [first, *sys.meta_path, _Last(first)]
    importlib.invalidate_caches()


def place(root: Path, module: str) -> Path | None:
    """The module's file, or its folder if that holds Python files without an `__init__.py`."""
    path = root.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return path if any(path.glob("*.py")) or any(path.glob("*/*.py")) else None


class _Fresh(SourceFileLoader):
    """Compiles the source as it is now; a compiled copy could be that of an edit in the same second."""

    def get_code(self, _fullname: str) -> CodeType:
        return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True)


class _First(MetaPathFinder):
    """Serves the packages in `names` from files under the root, before anybody else can."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.names = root, {name}

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self.names or not (file := place(self.root, fullname)):
            return None
        if _leads_out(self.root, file):
            what = f"{file.relative_to(self.root)} is a link that leads out of the project"
            raise ExperimentRefused([Mistake("model.build", what, "copy the file into the project")])
        if file.suffix == ".py":
            return spec_from_file_location(fullname, file, loader=_Fresh(fullname, str(file)))
        folder = ModuleSpec(fullname, None, is_package=True)
        folder.submodule_search_locations = [str(file)]
        return folder


class _Last(MetaPathFinder):
    """Has the project serve a name that no standard or installed module has."""

    def __init__(self, first: _First) -> None:
        self._first = first

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = None if "." in fullname else place(self._first.root, fullname)
        if not file or _leads_out(self._first.root, file):
            return None
        self._first.names.add(fullname)
        return self._first.find_spec(fullname)


def _leads_out(root: Path, file: Path) -> bool:
    return not file.resolve().is_relative_to(root)
