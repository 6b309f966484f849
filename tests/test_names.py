"""The size of modules, and names that readers must be able to tell apart."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.source_tree import ROOT, all_paths, module_paths, parsed

MOST_LINES = 400

UNIQUE = ("Corpus", "Rejected", "Evaluation", "Source", "Instruction", "Span")
"""Names that had several meanings. One class or alias of a type may have each."""

FORBIDDEN = frozenset(
    (
        "each",
        "facts",
        "named",
        "choices",
        "area",
        "here",
        "told",
        "tell",
        "held",
        "made",
        "asked",
        "shown",
    )
)
"""Names of modules and of public functions that tell a reader nothing."""


def test_no_module_is_long() -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in all_paths()}
    long = {str(path.relative_to(ROOT)) for path, count in lines.items() if count > MOST_LINES}
    assert long == set()


def definitions(module: str) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the classes, functions and methods of a module, but no functions inside functions."""
    pending: list[ast.stmt] = list(parsed(module_paths()[module]).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ClassDef):
            pending += node.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def aliases(module: str) -> Iterator[str]:
    """Yield the names that a module assigns at its top level."""
    for node in parsed(module_paths()[module]).body:
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def test_classes_with_different_meanings_have_different_names() -> None:
    modules = defaultdict(set)
    for module in module_paths():
        for node in definitions(module):
            if isinstance(node, ast.ClassDef):
                modules[node.name].add(module)
        for alias in aliases(module):
            modules[alias].add(module)
    assert {name for name in UNIQUE if len(modules[name]) > 1} == set()


def test_names_say_what_they_stand_for() -> None:
    found = {module for module in module_paths() if module.rpartition(".")[2] in FORBIDDEN}
    for module in module_paths():
        found |= {f"{module}:{node.name}" for node in definitions(module) if node.name in FORBIDDEN}
    assert found == set()
