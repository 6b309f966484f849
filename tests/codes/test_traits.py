from __future__ import annotations

import ast
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


@pytest.mark.parametrize("folder", ["cclearn", "data_builders", "recipes"])
def test_only_the_traits_depend_on_the_name_of_a_system(folder: str) -> None:
    """No other module compares a name with that of a native system or maps it to something."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            compared = (
                [node.left, *node.comparators]
                if isinstance(node, ast.Compare)
                else node.keys
                if isinstance(node, ast.Dict)
                else []
            )
            names = [part.value for part in compared if isinstance(part, ast.Constant)]
            if path != TRAITS and not set(names).isdisjoint(NATIVE):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    # The registry of builders, one of which has the name of the system that it reads.
    assert [place for place in found if not place.startswith("data_builders/")] == []
    assert len({place.split(":")[0] for place in found}) <= 1
