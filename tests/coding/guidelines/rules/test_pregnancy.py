from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.tables import PREGNANCY, read_rows
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
        ("Pregnant, 20 weeks. Hypothyroidism.", "E03.9 O99.282 Z3A.20"),
        ("G2P1 at 31 weeks. Anxiety.", "F41.9 O99.343 Z3A.31"),
        ("G2P1, two healthy children. Anxiety.", "F41.9"),
        ("Pregnant. Hypothyroidism.", "E03.9"),
        ("Baby born at 31 weeks. Anemia.", "D64.9"),
    ],
)
def test_pregnancy(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()


def test_all_codes_of_the_table_are_billable(system: CodeSystem) -> None:
    codes = [row[0] for row in read_rows(PREGNANCY, 4)]
    assert len(codes) > 20
    assert all("unspecified trimester" in system.description(code) for code in codes[:-1])
    assert all(map(system.is_billable, codes))
