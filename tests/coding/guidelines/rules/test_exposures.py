from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Exposed to scabies at camp.", "Z20.7"),
        ("TB exposure at work.", "Z20.1"),
        ("Contact with a friend who has mumps.", "Z20.828"),
        ("Scabies after contact with scabies.", "B86"),
        ("No contact with measles.", ""),
        ("Exposed to noise.", ""),
    ],
)
def test_exposures(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
