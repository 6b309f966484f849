from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Allergies: latex, codeine.", "Z88.5 Z91.040"),
        ("Penicillin and aspirin allergies.", "Z88.0 Z88.6"),
        ("Allergic to penicillin; tolerates codeine.", "Z88.0"),
        ("Allergies: penicillin - hives.", "Z88.0"),
        ("Allergies: none. Takes lisinopril.", ""),
        ("Takes lisinopril. Not allergic to latex.", ""),
    ],
)
def test_allergies(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
