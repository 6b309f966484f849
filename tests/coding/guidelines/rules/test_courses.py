from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acute myeloid leukemia in remission", "C92.01"),
        ("AML, in remission", "C92.01"),
        ("Multiple myeloma in remission", "C90.01"),
        ("Acute on chronic respiratory failure", "J96.20"),
        ("Acute on chronic systolic heart failure", "I50.23"),
        ("Acute on chronic kidney disease", "N17.9 N18.9"),
        ("Acute on chronic pancreatitis", "K85.90 K86.1"),
        ("Acute on chronic cholecystitis", "K81.2"),
        ("Acute and chronic gastritis", "K29.00 K29.50"),
    ],
)
def test_courses(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
