"""Finds the build function: in the project's own files first, then among installed packages."""

import functools
import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import hpsearch
from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.nearest import hint
from hpsearch.worker.serving import place, serve

Build = Callable[[Any], Any]

NO_TUNER = 'put such lines under `if __name__ == "__main__":`, or leave them out: `hpsearch run` is in their place'


class _Tunes(Exception):
    """The module is a script that makes a tuner of KerasTuner's."""


def find_build(root: Path, spec: str) -> Build:
    """Load "module:function" afresh: from a file under the project's root, else from an installed package.

    The name may also be that of a KerasTuner HyperModel, class or instance; `own_fit` then finds its `fit`.
    Raises ExperimentRefused.
    """
    root = root.resolve()
    module_name, _, name = spec.partition(":")
    _check_name(root, module_name)
    serve(root, module_name.partition(".")[0])
    try:
        with _no_tuner():
            module = importlib.import_module(module_name)
    except ExperimentRefused:
        raise
    except _Tunes as error:
        what = f"{_where(root, error)}: KerasTuner would begin to tune here whenever this is imported, as in each trial"
        raise _refusal(what, NO_TUNER) from error
    except (Exception, SystemExit) as error:  # user code may raise anything while it is imported
        raise _refused_import(root, module_name, error) from error
    return _buildable(_shown(root, module.__file__ or module_name), module, name)


def own_fit(build: Build) -> Callable[..., Any] | None:
    """The `fit` of the HyperModel that the build function belongs to, where it is not KerasTuner's; else None."""
    from keras_tuner import HyperModel

    whole = getattr(build, "__self__", None)
    if not isinstance(whole, HyperModel) or type(whole).fit is HyperModel.fit:
        return None
    return whole.fit  # type: ignore[no-any-return]  # keras_tuner has no types


def project_modules(root: Path) -> list[Path]:
    """The project's own source files that are imported now, in order: what the fingerprint covers."""
    return sorted(_without_installed(_imported_below(root.resolve())))


def own_frames(root: Path, error: BaseException) -> list[traceback.FrameSummary]:
    """The lines of the project's own files that led to an error, in the order in which they were run."""
    frames = traceback.extract_tb(error.__traceback__)
    own = _without_installed({Path(frame.filename) for frame in frames if Path(frame.filename).is_relative_to(root)})
    return [frame for frame in frames if Path(frame.filename) in own]


def _without_installed(files: set[Path]) -> set[Path]:
    """Those that are neither hpsearch's nor another package's: a project may lie around both, as a clone does.

    Not all below `sys.prefix` is installed: the project may lie there, too.
    """
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")]
    others = [Path(hpsearch.__file__).resolve().parent, *(Path(folder).resolve() for folder in installed)]
    return {
        file
        for file in files
        if "site-packages" not in file.parts and not any(file.is_relative_to(folder) for folder in others)
    }


def _imported_below(root: Path) -> set[Path]:
    """The files below the folder that modules were imported from: of thousands, as text, because paths take longer."""
    within, real = os.path.join(root, ""), functools.cache(os.path.realpath)  # noqa: PTH118  # ends in one separator, / too

    def place(file: str) -> str:
        folder, name = os.path.split(file)
        return os.path.realpath(file) if os.path.islink(file) else os.path.join(real(folder), name)  # noqa: PTH114, PTH118

    files = (file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None)))
    return {Path(found) for file in files if (found := place(file)).startswith(within)}


@contextmanager
def _no_tuner() -> Iterator[None]:
    """Within: no tuner of KerasTuner's is made, as a tutorial's script does in its last lines.

    With overwrite=True it would delete what such a script had found before; then it searches.
    """
    from keras_tuner.engine.base_tuner import BaseTuner

    def refuse(*_given: Any, **_named: Any) -> None:
        raise _Tunes

    made = BaseTuner.__init__
    BaseTuner.__init__ = refuse
    try:
        yield
    finally:
        BaseTuner.__init__ = made


def _check_name(root: Path, module: str) -> None:
    """Refuse what is no module's name, and project files that would take the place of a module others use."""
    if not all(part.isidentifier() for part in module.split(".")):
        what = f"{module!r} is not the name of a module"
        raise _refusal(what, "write package.module:function")
    first = module.partition(".")[0]
    known = getattr(sys.modules.get(first), "__file__", None) or ""
    taken = first in sys.stdlib_module_names or first == hpsearch.__name__ or "site-packages" in Path(known).parts
    if taken and place(root, first):
        what = f"{first!r} in the project has the name of an installed module"
        raise _refusal(what, "rename it in the project")


def _refused_import(root: Path, module: str, error: BaseException) -> ExperimentRefused:
    if (
        not isinstance(error, ModuleNotFoundError)
        or error.name is None
        or not f"{module}.".startswith(f"{error.name}.")
    ):
        return _refusal(f"{_where(root, error) or module}: {type(error).__name__}: {error}", "mend it there")
    wanted = Path(*module.split(".")).with_suffix(".py")
    beside = sorted(file.stem for file in (root / wanted).parent.glob("*.py") if file.stem != "__init__")
    what = f"there is no {wanted} under {root}, and no installed module {module!r}"
    return _refusal(what, hint(wanted.stem, beside))


def _where(root: Path, error: BaseException) -> str:
    """The project's file and line that an error came from, where there is one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(root, error.filename)}, line {error.lineno}"
    frames = own_frames(root, error)
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
        what = f"{file} has no {name!r}"
        raise _refusal(what, hint(name, functions))
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
        called = f"cannot be called with {arguments[0]!r} alone" if arguments else "cannot be made without arguments"
        what = f"{name} {called}: {error}"
        raise _refusal(what, mend) from error


def _refusal(what: str, mend: str) -> ExperimentRefused:
    return ExperimentRefused([Mistake("model.build", what, mend)])
