"""Imports go down only, in the order of the table in `docs/design.md`."""

from __future__ import annotations

import ast
import re

import networkx as nx

from tests.source_tree import ROOT, imports_of, module_paths, parsed


def layers() -> list[tuple[str, ...]]:
    """Return the modules and packages in each row of the table, the lowest layer first."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = page.partition("| layer |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    return [tuple(map(_module_name, re.findall(r"`([\w/.]+)`", row))) for row in rows]


def _module_name(path: str) -> str:
    return path.removesuffix("/__init__.py").removesuffix(".py").strip("/").replace("/", ".")


def layer_of(module: str) -> int:
    """Return the number of a module's row. The package `cclearn` is itself only, without its parts."""
    found = [
        number
        for number, names in enumerate(layers())
        for name in names
        if module == name or (name != "cclearn" and module.startswith(f"{name}."))
    ]
    assert len(found) == 1, f"{module} is in {len(found)} rows of the table in docs/design.md"
    return found[0]


def test_every_layer_of_the_table_exists() -> None:
    named = {name for names in layers() for name in names}
    assert len(named) > 15
    assert named <= set(module_paths())


def test_imports_go_down_only() -> None:
    up = {
        (module, imported)
        for module in module_paths()
        for imported in imports_of(module)
        if layer_of(imported) > layer_of(module)
    }
    assert up == set()


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = nx.DiGraph()
    for module in module_paths():
        graph.add_edges_from((module, imported) for imported in imports_of(module))
    circles = [circle for circle in nx.strongly_connected_components(graph) if len(circle) > 1]
    assert set().union(*circles) == set()


def test_modules_use_the_package_itself_for_its_version_alone() -> None:
    for path in module_paths().values():
        used = {
            node.attr
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "cclearn"
        }
        assert used <= {"__version__"}, path
