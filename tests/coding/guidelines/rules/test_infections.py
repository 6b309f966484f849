from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sepsis due to MRSA pneumonia", "A41.02 J15.212"),
        ("MRSA abscess of left buttock", "B95.62 L02.31"),
        ("MRSA sepsis. Severe sepsis.", "A41.02 R65.20"),
        ("Neutropenic fever", "D70.9 R50.81"),
        ("Febrile neutropenia.", "D70.9 R50.81"),
    ],
)
def test_infections(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
