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
        ("Dysphagia diet.", ""),
        ("SUD counselor consulted.", ""),
        ("Anxiety: GAD-7 score 2.", ""),
        ("Morphine 4 mg IV for pain.", ""),
        ("Goals: pt will report pain <3/10", ""),
        ("Pain: LBP.", "M54.50"),
        ("PAD w/ rest pain.", "I73.9"),
        ("Persistent pain.", "R52"),
        ("s/p kidney transplant 2019 for ESRD.", "Z94.0"),
        ("ESRD. Transplant evaluation.", "N18.6"),
        ("Reviewed warning signs of stroke and MI.", ""),
        ("Discussed s/s of hypoglycemia, stroke and MI.", ""),
        ("Patient advised of symptoms of stroke.", ""),
        ("Risks: bleeding, infection, bowel injury, VTE.", ""),
        ("MDD. SI w/ plan to OD, no intent.", "F32.9 R45.851"),
        ("Naloxone Rx'd for overdose.", ""),
        ("L TM erythematous, bulging", ""),
        ("Oropharynx erythematous without exudate", ""),
        ("Psych: anxious, tearful.", ""),
        ("MSE: mood depressed, affect anxious", ""),
        ("Patient is anxious and depressed.", "F41.9 F32.A"),
        ("Last tetanus 10 y ago; Tdap given.", ""),
        ("Tetanus unknown.", ""),
        ("Hep B, vit K given.", ""),
        ("Sunscreen; melanoma ABCDE reviewed.", ""),
        ("bx for celiac.", ""),
        ("Fall risk low.", ""),
        ("Lives with wife who has dementia.", ""),
        ("COVID-19 pneumonia. Vaccinated and boosted.", "U07.1 J12.82"),
        ("COVID vaccine UTD. COVID-19, mild symptoms.", "U07.1"),
        ("COVID test negative.", ""),
    ],
)
def test_phrases_that_name_no_condition_have_no_code(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())
