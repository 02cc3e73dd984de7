"""Checks, without running any of its code, that the modules which a search space imports are there.

Only imports that are sure to be made are judged: those at the top of a file, and of the project's files that these lead
to. Whether TensorFlow's import, of seconds, is worth its wait is then known at once.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hpsearch.nearest import nearest
from hpsearch.worker.serving import place

COMMON = ("keras", "keras_tuner", "numpy", "tensorflow")  # what search spaces import
MOST_FILES = 200
LARGEST = 5_000_000  # bytes
SEARCHED = {"path", "modules", "meta_path", "path_hooks", "addsitedir"}  # of sys and site: where imports are looked for


def absent(file: Path, root: Path) -> Iterator[tuple[str, str]]:
    """What cannot be imported, by the file or what it leads to in the project under `root`, and how to mend it.

    Nothing is, where one of the files changes `sys.path` or its like.
    """
    trees = dict(_reached(file, root))
    if any(_changes_the_search(tree) for tree in trees.values()):
        return
    for one, tree in trees.items():
        shown = one.relative_to(root).as_posix() if one.is_relative_to(root) else one.name
        wanted = {module.partition(".")[0]: line for line, module in reversed(list(_imports(tree)))}
        for module, line in wanted.items():
            if not _there(module, root):
                where = f"{shown}, line {line}"
                yield f"{where}: there is no module {module!r}, neither installed nor in the project", _mend(module)


def _reached(file: Path, root: Path) -> Iterator[tuple[Path, ast.Module]]:
    ahead, seen = [file], {file}
    while ahead and len(seen) <= MOST_FILES:
        one = ahead.pop()
        if (tree := _parsed(one)) is None:
            continue
        yield one, tree
        modules = [module for _, module in _imports(tree)]
        found = {at for module in modules for at in _files(module, root) if at not in seen}
        seen |= found
        ahead += sorted(found)


def _parsed(file: Path) -> ast.Module | None:
    """None where it cannot be read, which is told when it is imported."""
    try:
        return ast.parse(file.read_bytes()) if file.stat().st_size <= LARGEST else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and name of each module that running the file is sure to import, and of what may be one in a package."""
    for statement in tree.body:
        match statement:
            case ast.Import(names=aliases):
                yield from ((statement.lineno, alias.name) for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield statement.lineno, module
                yield from ((statement.lineno, f"{module}.{alias.name}") for alias in aliases)


def _files(module: str, root: Path) -> Iterator[Path]:
    """The project's files that importing a.b.c runs: those of a, a.b and a.b.c."""
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        if (file := place(root, ".".join(parts[:number]))) and file.is_file():
            yield file


def _changes_the_search(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.ImportFrom) and node.module in {"sys", "site"})
        or (isinstance(node, ast.Attribute) and node.attr in SEARCHED and ast.unparse(node.value) != "os")
        for node in ast.walk(tree)
    )


def _there(module: str, root: Path) -> bool:
    if module in sys.stdlib_module_names or module in sys.modules or (root / module).is_dir() or place(root, module):
        return True
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return True  # it is there in a strange way


def _mend(module: str) -> str:
    near = nearest(module, [*COMMON, *sorted(sys.stdlib_module_names)])
    if near:  # what is called nearly as a known package, on PyPI, may be there to deceive
        return f"did you mean {near[0]!r}? mend the name there"
    return f"mend the name there, or install the package that has it (often called {module}, too)"
