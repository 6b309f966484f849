from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cclearn.codes.traits import NATIVE, traits_of

ROOT = Path(__file__).parents[2]
TRAITS = ROOT / "cclearn" / "codes" / "traits.py"


def test_a_users_system_has_the_defaults() -> None:
    traits = traits_of("cpt")
    assert traits.display_name == "cpt"
    assert traits.fhir_uri is None
    assert traits.official_source is None
    assert not traits.icd_conventions
    assert traits_of("icd9cm") is NATIVE["icd9cm"]


BUILDERS = "cclearn/registry.py"
"""The module that registers the builders, one of which has the name of the system that it reads."""


@pytest.mark.parametrize("folder", ["cclearn", "data_builders", "recipes"])
def test_only_the_traits_depend_on_the_name_of_a_system(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != TRAITS and not NATIVE.keys().isdisjoint(compared_strings(path))
    }
    assert found <= {BUILDERS}


def compared_strings(path: Path) -> Iterator[str]:
    """Yield the strings that a module compares with something, or that are keys of its dictionaries."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            parts = [*node.keys]
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value
