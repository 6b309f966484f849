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
        ("Left rib fractures 4-6.", "S22.42XA"),
        ("Left rib fracture", "S22.32XA"),
        ("Patient fell down stairs, subdural hematoma, LOC 2 minutes.", "S06.5X1A"),
        ("Acute subdural hematoma", "I62.01"),
        ("Superficial partial thickness burn left forearm.", "T22.212A"),
        ("Tick bite of scalp.", "S00.06XA"),
        ("Tick bite left thigh", "S70.362A"),
        ("Dog bite left thigh", "S71.152A"),
    ],
)
def test_injuries(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
