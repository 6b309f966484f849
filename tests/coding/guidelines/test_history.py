from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.history import history_flag
from cclearn.coding.lexicon.coder import LexiconCoder


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


def test_a_past_condition_of_a_model_is_flagged(system: CodeSystem) -> None:
    assert history_flag("C50.912", system) == (
        "history: Z85.3 is the code of this condition once it is past (Section I.C.21.c.4)"
    )
    assert history_flag("R05.9", system) == (
        "history: a symptom that is past is not coded (Section I.C.21.c.4)"
    )
    assert history_flag("I10", system) is None


def test_codes_of_history_are_historical(lexicon: LexiconCoder) -> None:
    codes = lexicon.code("Old MI, hx of breast cancer, s/p CABG, hypertension.").codes
    assert [(assigned.code, assigned.assertion) for assigned in codes] == [
        ("I25.2", "historical"),
        ("Z85.3", "historical"),
        ("Z95.1", "present"),
        ("I10", "present"),
    ]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("s/p CABG", ["Z95.1"]),
        ("CABG is planned for next week.", []),
        ("Past surgical history:\nappendectomy", ["Z90.49"]),
        ("Appendectomy in 2010.", ["Z90.49"]),
        ("Pacemaker in situ.", ["Z95.0"]),
        ("No prior splenectomy.", []),
        ("hx of breast cancer", ["Z85.3"]),
        ("h/o DVT", ["Z86.718"]),
    ],
)
def test_procedures_and_conditions_of_the_past(
    lexicon: LexiconCoder, text: str, codes: list[str]
) -> None:
    assert [assigned.code for assigned in lexicon.code(text).codes] == codes
