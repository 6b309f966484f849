from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from tests.messy_note import NOTE


@pytest.mark.parametrize(
    "text",
    [
        "FAMILY HISTORY\nBreast cancer, Parkinson disease\nASSESSMENT\nGout",
        "Allergies\nPenicillin\nSulfa\n\nPlan: rest",
        "Age: 12\nBMI 35. Obesity.",
        NOTE.read_text(encoding="utf-8"),
    ],
)
def test_codes_do_not_depend_on_the_ends_of_lines(text: str, system: CodeSystem) -> None:
    coder = LexiconCoder(system)
    expected = [(a.code, a.assertion) for a in coder.code(text).codes]
    found = [(a.code, a.assertion) for a in coder.code(text.replace("\n", "\r\n")).codes]
    assert found == expected
