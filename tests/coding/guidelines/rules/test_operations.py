from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Preop diagnosis: acute appendicitis."
            " Postop diagnosis: perforated appendicitis with abscess.",
            "K35.33",
        ),
        ("Preoperative diagnosis: Cholelithiasis\nPostoperative diagnosis: Same", "K80.20"),
        ("Postop diagnosis: inguinal hernia.", "K40.90"),
    ],
)
def test_operations(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
