from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PMH: afib\nMeds: warfarin\nPE: irreg irreg", "I48.91 Z79.01"),
        ("Hx DVT on Xarelto. PE: WNWD, NAD.", "Z86.718 Z79.01"),
        ("CT showed PE. Started on heparin.", "I26.99"),
        ("67M h/o COPD, CHF, DM here with cough.", "J44.9 I50.9 E11.9"),
        ("SpO2 96% RA. ESR 40, joint pain.", "M25.50"),
        ("Strength 5/5 except R HF 4+", ""),
        ("L AOM", "H66.92"),
        ("L MCA stroke", "I63.512"),
        ("R intertrochanteric femur fx", "S72.141A"),
        ("Acute DVT L femoral vein", "I82.412"),
        ("L carpal tunnel", "G56.02"),
        ("R RCC", "C64.1"),
        ("R scaphoid fx", "S62.001A"),
        ("Closed nondisplaced fx R scaphoid", "S62.001A"),
        ("2 L O2, stroke", "I63.9"),
        ("L4 compression fracture", "M48.56XA"),
        ("Sciatica L", "M54.32"),
        ("BPPV R", "H81.11"),
        ("R hemiplegia", "G81.91"),
        ("h/o CVA w/ residual L hemiparesis", "I69.354"),
        ("Nuclear sclerotic cataract OD", "H25.11"),
        ("POAG OU, moderate stage", "H40.1132"),
        ("Corneal abrasion OD", "S05.01XA"),
        ("SLE: 2+ NS OU.", ""),
        ("GAD-7 12", ""),
    ],
)
def test_short_forms_have_the_meaning_that_their_neighbours_tell(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())
