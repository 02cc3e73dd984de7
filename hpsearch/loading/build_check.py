"""Checks, without running any of its code, that the search space an experiment names is there."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hpsearch.loading.import_check import absent
from hpsearch.loading.toml_places import Finding
from hpsearch.nearest import hint, nearest

PLACE = ("model", "build")
MOST_FILES = 500
LARGEST = 5_000_000


def build_findings(build: str, root: Path) -> list[Finding]:
    """What is wrong with "module:function": no such file, package or function, or a file outside the project."""
    module, _, function = build.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names:
        return [Finding(PLACE, f"{module!r} is a module of Python itself, not a search space", _known(root))]
    file = _file(module, [root]) or _file(module, _elsewhere(root))
    if file is None:
        return [] if _opaque(module, root) else [Finding(PLACE, *_no_file(module, root))]
    if file.is_relative_to(root) and not file.resolve().is_relative_to(root.resolve()):
        return [Finding(PLACE, f"{file.relative_to(root)} leads out of the project", "copy the file into it")]
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else module
    return list(_function(file, shown, module, function)) or [Finding(PLACE, *found) for found in absent(file, root)]


def _file(module: str, folders: list[Path]) -> Path | None:
    path = Path(*module.split("."))
    candidates = [
        folder / name for folder in folders for name in (path.with_name(f"{path.name}.py"), path / "__init__.py")
    ]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _elsewhere(root: Path) -> list[Path]:
    """Where installed packages lie; the shell's folder, which `python -m` puts first, is not such a place."""
    here = {root.resolve(), Path.cwd()}
    return [Path(folder) for folder in sys.path if folder and Path(folder).resolve() not in here]


def _opaque(module: str, root: Path) -> bool:
    """Whether the package is installed in a form whose source files cannot be found (compiled, zipped, editable)."""
    top, dot, _ = module.partition(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a module such as __main__ that was not made from a file
        return False
    if spec is None or spec.origin is None or Path(spec.origin).is_relative_to(root):
        return False
    return not (dot and spec.origin.endswith("__init__.py"))


def _no_file(module: str, root: Path) -> tuple[str, str]:
    expected = "/".join(module.split(".")) + ".py"
    near = nearest(module, _modules(root))
    mend = f"did you mean {near[0]!r}? " if near else ""
    return f"there is neither a file {expected} in the project nor an installed package of that name", mend + _known(
        root
    )


def _known(root: Path) -> str:
    modules = _modules(root)
    return f"known in the project: {', '.join(modules[:12]) or 'none'}"


def _modules(root: Path) -> list[str]:
    """The modules one or two levels below the root, as `build` names them."""
    files = [file for pattern in ("*.py", "*/*.py") for file in sorted(root.glob(pattern))[:MOST_FILES]]
    names = [".".join(file.relative_to(root).with_suffix("").parts) for file in files]
    return [name for name in names if not name.startswith((".", "tests.")) and not name.endswith("__init__")]


def _function(file: Path, shown: str, module: str, function: str) -> Iterator[Finding]:
    try:
        if file.stat().st_size > LARGEST:
            yield Finding(PLACE, f"{shown} is larger than {LARGEST:,} bytes", "this is no search space")
            return
        tree = ast.parse(file.read_bytes(), filename=shown)
    except SyntaxError as error:
        yield Finding(PLACE, f"{shown}, line {error.lineno or 1}: this is not Python: {error.msg}", "mend that file")
        return
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        yield Finding(PLACE, f"{shown} cannot be read as Python ({type(error).__name__})", "mend that file")
        return
    names = _defined(tree.body)
    if names is None or function in names:
        return
    own = sorted(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef))
    builds = [name for name in own if name.startswith("build")] or [name for name in own if name[0] != "_"]
    yield Finding(
        PLACE, f"{shown} defines no {function!r}", hint(function, [f"{module}:{name}" for name in builds[:12]])
    )


def _defined(body: list[ast.stmt]) -> set[str] | None:
    """The names that running these statements defines; None if only running them could tell."""
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.Expr() | ast.Pass() | ast.Assert():
                pass
            case _:
                names.update(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))
                names.update(
                    node.name for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.ClassDef)
                )
    return None if names & {"*", "__getattr__"} else names
