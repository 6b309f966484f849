from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Newborn female, born by C-section today. Birth weight 3200 g.", "Z38.01"),
        (
            "Term newborn male born via vaginal delivery in hospital today. Jaundice.",
            "P59.9 Z38.00",
        ),
        ("12 month WCC, right otitis media found today.", "H66.91 Z00.121"),
        ("2 week old well baby visit.", "Z00.111"),
        ("5 day old well child visit", "Z00.110"),
    ],
)
def test_newborns(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
