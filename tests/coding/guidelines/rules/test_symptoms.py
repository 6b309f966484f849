from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pneumonia with cough.", "J18.9"),
        ("Cough.", "R05.9"),
        ("Chest pain due to GERD.", "K21.9"),
        ("Chest pain. GERD.", "K21.9 R07.9"),
        ("E. coli in the urine culture.", ""),
        ("Cystitis, E. coli.", "B96.20 N30.90"),
    ],
)
def test_symptoms(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
