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
        ("28 y.o. G2P1 at 30w0d. Chronic hypertension on labetalol.", "O10.013 Z3A.30"),
        ("G2P1 at 24w3d with type 2 diabetes mellitus on insulin", "E11.9 O24.112 Z3A.24 Z79.4"),
        ("G1P0 at 33w0d with UTI", "N39.0 O23.43 Z3A.33"),
        ("G1P0 at 20w0d. Hypothyroidism.", "E03.9 O99.282 Z3A.20"),
        ("Routine prenatal visit at 28w0d. Obesity in pregnancy.", "E66.9 O99.213 Z3A.28"),
        ("Pregnant with vaginal bleeding at 9w0d.", "O20.9 Z3A.09"),
        ("Decreased fetal movement at 35w0d.", "O36.8130 Z3A.35"),
        ("False labor at 38w2d.", "O47.1 Z3A.38"),
        ("Pregnant at 36w0d, GBS positive.", "O99.820 Z3A.36"),
    ],
)
def test_pregnancy(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()


def test_all_codes_of_the_table_are_billable(system: CodeSystem) -> None:
    codes = [row[0] for row in read_rows(PREGNANCY, 4)]
    assert len(codes) > 20
    assert all(
        "unspecified trimester" in system.description(code) for code in codes if code != "O99.820"
    )
    assert all(map(system.is_billable, codes))
