from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Essential hypertension in pregnancy, 20 weeks.", "O10.012 Z3A.20"),
        ("Pregnant with iron deficiency anemia, 33 weeks.", "D50.9 O99.013 Z3A.33"),
        ("Hypertension. Not pregnant.", "I10"),
        ("Hypertension since her last pregnancy.", "I10"),
        ("Gestational diabetes on insulin, 30 weeks.", "O24.414 Z3A.30"),
        ("Prenatal visit, G3P2, 24 weeks.", "Z34.82 Z3A.24"),
        ("Prenatal visit, G1P0, 12 weeks.", "Z34.01 Z3A.12"),
    ],
)
def test_pregnancy(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
