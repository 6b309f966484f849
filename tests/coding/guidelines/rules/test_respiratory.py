from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPD, acute bronchitis.", "J20.9 J44.0"),
        ("COPD exacerbation with pneumonia.", "J18.9 J44.0 J44.1"),
        ("COPD. No pneumonia.", "J44.9"),
        ("Acute hypoxic and hypercapnic respiratory failure.", "J96.01 J96.02"),
        ("Acute on chronic hypoxic/hypercarbic respiratory failure.", "J96.21 J96.22"),
        ("Chronic respiratory failure with hypoxia and hypercapnia.", "J96.11 J96.12"),
        ("Acute hypoxic respiratory failure.", "J96.01"),
        ("No hypoxic and hypercapnic respiratory failure.", ""),
        ("Influenza A.", "J10.1"),
        ("Influenza with pneumonia, flu A positive.", "J10.00"),
    ],
)
def test_respiratory(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
