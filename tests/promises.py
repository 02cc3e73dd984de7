"""Finds which tests show which promise of docs/reliability.md; run as a program, it prints them as Markdown."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
UNTESTED = "## Without a test yet"


def promised(page: str) -> list[str]:
    """Give the numbers that begin a row of the page's tables."""
    return re.findall(r"^\| ([PH]?\d+) \|", page, re.MULTILINE)


def untested(page: str) -> list[str]:
    """Give the numbers that the page lists as having no test; each has a bullet with its reason."""
    listed = page.partition(f"\n{UNTESTED}\n")[2].partition("\n## ")[0]
    return re.findall(r"^- ([PH]?\d+): \S", listed, re.MULTILINE)


def shown(folder: Path) -> dict[str, set[str]]:
    """Give for each number the tests under the folder that carry it, as `file::test`."""
    tests = defaultdict(set)
    for file in sorted(folder.rglob("*.py")):
        for test, number in _marks(ast.parse(file.read_text(encoding="utf-8"))):
            tests[number].add("::".join(filter(None, (file.relative_to(folder).as_posix(), test))))
    return dict(tests)


def _marks(module: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in module.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                yield from ((getattr(statement, "name", ""), number) for number in _numbers(node))


def _numbers(mark: ast.Call) -> tuple[str, ...]:
    return eval(f"({', '.join(map(ast.unparse, mark.args))},)")  # noqa: S307 our own marks, and some count with range()


if __name__ == "__main__":
    found = shown(Path(__file__).parent)
    for number in promised(PAGE.read_text(encoding="utf-8")):
        print(f"- {number}: {', '.join(f'`{test}`' for test in sorted(found.get(number, ()))) or 'no test yet'}")
