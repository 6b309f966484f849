from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding import Coder, Encounter
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.uncertain import gives_code
from cclearn.notes import CodedNote

NOTE = "Probable pneumonia. Asthma is treated. Suspected COVID-19."


def code(system: CodeSystem, text: str, encounter: Encounter | None) -> CodedNote:
    return Coder.lexicon(system, encounter=encounter).code(text)


def test_an_inpatients_uncertain_diagnosis_is_coded(system: CodeSystem) -> None:
    coded = code(system, NOTE, "inpatient")
    assert [(a.code, a.assertion) for a in coded.codes] == [
        ("J18.9", "uncertain"),
        ("J45.909", "present"),
    ]
    (flag,) = [flag for flag in coded.codes[0].flags if flag.startswith("uncertain: ")]
    assert "Section II.H" in flag
    assert coded.flags == [
        "uncertain: U07.1 (49:57) is not coded unless confirmed (Section I.C.1.g.1.a)"
    ]


def test_an_outpatients_uncertain_diagnosis_is_not(system: CodeSystem) -> None:
    coded = code(system, NOTE, "outpatient")
    assert [a.code for a in coded.codes] == ["J45.909"]
    assert (
        "uncertain: J18.9 (9:18) is not coded in an outpatient encounter (Section IV.H)"
        in coded.flags
    )
    # A certain mention is coded, by itself.
    coded = code(system, "Probable pneumonia. The patient has pneumonia.", "outpatient")
    (assigned,) = coded.codes
    assert [(e.start, e.end) for e in assigned.evidence] == [(36, 45)]
    assert (assigned.assertion, coded.flags) == ("present", [])


def test_without_a_setting_the_flag_names_both_rules(system: CodeSystem) -> None:
    coded = code(system, "Probable pneumonia.", None)
    (flag,) = [flag for flag in coded.codes[0].flags if flag.startswith("uncertain: ")]
    assert "Section II.H" in flag
    assert "Section IV.H" in flag
    assert not code(system, "Probable pneumonia. Pneumonia.", None).codes[0].flags


@pytest.mark.parametrize("sick", ["B20", "Z21", "A92.5", "U07.1", "J09.X1", "J10.1"])
def test_some_codes_require_confirmed_cases(system: CodeSystem, sick: str) -> None:
    encounters: tuple[Encounter | None, ...] = ("inpatient", "outpatient", None)
    for encounter in encounters:
        assert not gives_code(Finding(sick, 0, 1, assertion="uncertain"), system, encounter)
        assert gives_code(Finding(sick, 0, 1), system, encounter)
    # Influenza of an unidentified virus may be suspected.
    assert gives_code(Finding("J11.1", 0, 1, assertion="uncertain"), system, "inpatient")
