from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tdap given today.", "Z23"),
        ("MMR vaccine administered at this visit.", "Z23"),
        ("Tdap given in 2019.", ""),
        ("He refused the flu vaccine.", "Z28.21"),
        ("Parents decline vaccination.", "Z28.82"),
        ("MMR vaccine due today.", ""),
    ],
)
def test_immunisation(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
