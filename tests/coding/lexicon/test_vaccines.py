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
        ("Tetanus given in ED.", ""),
        ("Tetanus up to date. Influenza vaccine given.", ""),
        ("Immunizations: influenza, pneumonia, hepatitis B, tetanus", ""),
        ("Vaccines: hepatitis B, MMR, varicella, pertussis", ""),
        ("Needs rabies vaccination after dog bite.", ""),
        ("Received measles, mumps and rubella vaccine.", ""),
        ("Hepatitis B vaccine series completed", ""),
        ("Shingles vaccine", ""),
        ("Influenza A positive", "J10.1"),
        ("Patient with tetanus.", "A35"),
        ("Hepatitis B immune. Measles immune.", ""),
        ("Tetanus updated.", ""),
        ("Immunizations up to date including varicella and measles.", ""),
        ("Varicella non-immune", ""),
        ("Patient education regarding diabetes provided.", ""),
        ("HAS-BLED score 2", ""),
    ],
)
def test_a_vaccine_is_not_the_disease(lexicon: LexiconCoder, text: str, expected: str) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())
