"""The modules of the project and what they import, read from their source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent

PACKAGES = ("cclearn", "data_builders", "recipes")
"""The packages that are installed."""


@cache
def module_paths() -> dict[str, Path]:
    """Return the file of each module of the installed packages, by the module's full name."""
    paths = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            paths[name] = path
    return paths


def all_paths() -> list[Path]:
    """Return every Python file of the project: the packages, the tests, the benchmarks and the tools."""
    folders = (*PACKAGES, "benchmarks", "tests", "tools")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the modules of the project that a module imports.

    Imports inside functions and under `TYPE_CHECKING` are included. `from package import name` is an
    import of the module `package.name` if there is one, and otherwise of the package. `import cclearn`
    is left out: modules use it for the version alone, which `tests/test_layers.py` checks.
    """
    found = set(_imports(module))
    return frozenset(found - {module})


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(parsed(module_paths()[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name for name in names if name in module_paths() and name != "cclearn")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in module_paths():
                    yield submodule
                elif node.module in module_paths():
                    yield str(node.module)
