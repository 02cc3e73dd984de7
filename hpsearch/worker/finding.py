"""Finds the build function: in the project's own files first, then among installed packages.

Project modules are served by finders of our own in place of `sys.path`: the first in line serves only the
package that the experiment names, the last only names that nobody else knows, so that a `json.py` in the
project shadows nothing. No `__pycache__` is written, and no file from outside the root is served.
"""

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import hpsearch
from hpsearch.errors import ExperimentRefused, Mistake

Build = Callable[[Any], Any]


def find_build(root: Path, spec: str) -> Build:
    """Load "module:function" afresh: from a file under the project's root, else from an installed package.

    The name may also be that of a KerasTuner HyperModel, class or instance. Raises ExperimentRefused.
    """
    root = root.resolve()
    module_name, _, name = spec.partition(":")
    _check_name(root, module_name)
    _serve(root, module_name.partition(".")[0])
    try:
        module = importlib.import_module(module_name)
    except ExperimentRefused:
        raise
    except Exception as error:  # user code may raise anything while it is imported
        raise _refused_import(root, module_name, error) from error
    return _buildable(_shown(root, module.__file__ or module_name), module, name)


def project_modules(root: Path) -> list[Path]:
    """The project's own source files that are imported now, in order: what the fingerprint covers."""
    root = root.resolve()
    others = [Path(sys.prefix).resolve(), Path(hpsearch.__file__).resolve().parent]
    modules = list(sys.modules.values())
    files = {Path(file).resolve() for module in modules if (file := getattr(module, "__file__", None))}
    return sorted(
        file
        for file in files
        if file.is_relative_to(root)
        and "site-packages" not in file.parts
        and not any(file.is_relative_to(folder) for folder in others)
    )


class _Fresh(SourceFileLoader):
    """Compiles the source as it is now; a compiled copy could be that of an edit in the same second."""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.get_source(fullname), self.path, "exec", dont_inherit=True)


class _First(MetaPathFinder):
    """Serves the packages in `names` from files under the root, before anybody else can."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.names = root, {name}

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self.names or not (place := _place(self.root, fullname)):
            return None
        if _leads_out(self.root, place):
            what = f"{place.relative_to(self.root)} is a link that leads out of the project"
            raise _refusal(what, "copy the file into the project")
        if place.suffix == ".py":
            return spec_from_file_location(fullname, place, loader=_Fresh(fullname, str(place)))
        folder = ModuleSpec(fullname, None, is_package=True)
        folder.submodule_search_locations = [str(place)]
        return folder


class _Last(MetaPathFinder):
    """Has the project serve a name that no standard or installed module has."""

    def __init__(self, first: _First) -> None:
        self._first = first

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = None if "." in fullname else _place(self._first.root, fullname)
        if not place or _leads_out(self._first.root, place):
            return None
        self._first.names.add(fullname)
        return self._first.find_spec(fullname)


def _serve(root: Path, name: str) -> None:
    """Put our finders in place, and forget what earlier ones served: another project's modules, or older text."""
    earlier = [finder for finder in sys.meta_path if isinstance(finder, _First)]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _First | _Last)]
    forgotten = {name for finder in earlier for name in finder.names} | ({name} if _place(root, name) else set())
    for module in [module for module in sys.modules if module.partition(".")[0] in forgotten]:
        del sys.modules[module]
    if _place(root, name):
        first = _First(root, name)
        sys.meta_path[:] = [first, *sys.meta_path, _Last(first)]
    importlib.invalidate_caches()


def _place(root: Path, module: str) -> Path | None:
    """The module's file, or its folder if that holds Python files without an `__init__.py`."""
    path = root.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return path if any(path.glob("*.py")) else None


def _leads_out(root: Path, place: Path) -> bool:
    return not place.resolve().is_relative_to(root)


def _check_name(root: Path, module: str) -> None:
    """Refuse what is no module's name, and project files that would take the place of a module others use."""
    if not all(part.isidentifier() for part in module.split(".")):
        raise _refusal(f"{module!r} is not the name of a module", "write package.module:function")
    first = module.partition(".")[0]
    known = getattr(sys.modules.get(first), "__file__", None) or ""
    taken = first in sys.stdlib_module_names or first == hpsearch.__name__ or "site-packages" in Path(known).parts
    if taken and _place(root, first):
        raise _refusal(f"{first!r} in the project has the name of an installed module", f"rename the project's {first}")


def _refused_import(root: Path, module: str, error: Exception) -> ExperimentRefused:
    if not isinstance(error, ModuleNotFoundError) or error.name is None or not f"{module}.".startswith(f"{error.name}."):
        return _refusal(f"{_where(root, error) or module}: {type(error).__name__}: {error}", "mend it there")
    wanted = "/".join(module.split("."))
    folder = root.joinpath(*module.split(".")[:-1])
    near = _hint(module.split(".")[-1], sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__"))
    return _refusal(f"there is no {wanted}.py under {root}, and no installed module {module!r}", near)


def _where(root: Path, error: Exception) -> str:
    """The project's file and line that an error came from, where there is one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(root, error.filename)}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    return f"{_shown(root, frames[-1].filename)}, line {frames[-1].lineno}" if frames else ""


def _shown(root: Path, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _buildable(file: str, module: ModuleType, name: str) -> Build:
    """The build function of that name, or the `build` of that HyperModel."""
    from keras_tuner import HyperModel

    found = getattr(module, name, None)
    if found is None:
        functions = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise _refusal(f"{file} has no {name!r}", _hint(name, functions))
    if isinstance(found, type) and issubclass(found, HyperModel):
        _check_call(found, f"{file}: {name}", "write an instance of it into the file, and name that")
        found = found()
    function = found.build if isinstance(found, HyperModel) else found
    _check_call(function, f"{file}: {name}", "write it as `def build_model(hp):`", "hp")
    return function  # type: ignore[no-any-return]  # what getattr gives is Any; it was just checked


def _check_call(function: Any, name: str, mend: str, *arguments: str) -> None:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        called = f"{name} cannot be called with {arguments[0]!r} alone" if arguments else f"{name} needs arguments"
        raise _refusal(f"{called} ({error})", mend) from error


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(known) or 'none'}"


def _refusal(what: str, mend: str) -> ExperimentRefused:
    return ExperimentRefused([Mistake("model.build", what, mend)])
