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
        ("[ ] Diabetes [x] Hypertension", "I10"),
        ("[x] Diabetes [ ] Hypertension", "E11.9"),
        ("☐ Asthma ☒ COPD", "J44.9"),
        ("☑ Asthma ☐ COPD", "J45.909"),
        ("Asthma [ ] COPD [x]", "J44.9"),
        ("( ) Stroke (x) Hypertension", "I10"),
        ("[ ] HTN\n[x] DM\n[ ] CKD", "E11.9"),
        ("HTN: +, DM: -, COPD: -", "I10"),
        ("HTN (+) DM (-) CAD (-) COPD (+)", "I10 J44.9"),
        ("Diabetes Y, HTN N, Asthma Y", "E11.9 J45.909"),
        ("Stroke: never", ""),
        ("Thyroid disease: N/A", ""),
        ("Depression: 0 Anxiety: 0", ""),
        ("Heart attack - Yes (2012)", "I25.2"),
        ("History of DM: yes", "E11.9"),
        ("Rapid flu A/B neg.", ""),
        ("Influenza A/B negative.", ""),
        ("Flu A/B: neg.", ""),
    ],
)
def test_only_ticked_conditions_are_coded(lexicon: LexiconCoder, text: str, expected: str) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())
