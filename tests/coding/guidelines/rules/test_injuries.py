from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tylenol overdose, suicide attempt", "T39.1X2A"),
        ("Overdose of acetaminophen, intentional", "T39.1X2A"),
        ("Accidental overdose of acetaminophen", "T39.1X1A"),
        ("Multiple rib fractures on the left with pneumothorax after fall", "S22.42XA S27.0XXA"),
        ("Left pneumothorax after MVC", "S27.0XXA"),
        ("Spontaneous pneumothorax", "J93.83"),
    ],
)
def test_injuries(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
