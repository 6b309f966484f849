"""The entries of docstrings can be understood alone."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from tests.source_tree import ROOT, all_paths, parsed

SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?:[ ]{4}.*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\S+?): *(.*)$", re.MULTILINE)
UNCLEAR = re.compile(r"(Of|As|Likewise|For|Whose|What (they|it) (are|is) to be)\b")


def entries(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the first line of each entry of the docstrings in a file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = inspect.cleandoc(ast.get_docstring(node) or "") + "\n"
            for _, section in SECTION.findall(docstring):
                yield from ENTRY.findall(section)


def test_no_entry_leans_on_its_name_or_on_another_entry() -> None:
    unclear = [
        f"{path.relative_to(ROOT)}: {name}: {text}"
        for path in all_paths()
        for name, text in entries(path)
        if UNCLEAR.match(text)
    ]
    assert unclear == []


def test_entries_are_found() -> None:
    assert sum(1 for path in all_paths() for _ in entries(path)) > 500
