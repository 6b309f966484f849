from __future__ import annotations

from pathlib import Path

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.combinations import RULES, combine
from cclearn.notes.assertion import AssertionRules
from tests.coding.guidelines.rules_table import PAGE, page_with_rules


def combined(system: CodeSystem, text: str, *codes: str) -> dict[str, list[int]]:
    """Return the starts of the evidence of each code, for findings at offsets 0, 1 and so on."""
    findings = [Finding(code, start, start + 1) for start, code in enumerate(codes)]
    found: dict[str, list[int]] = {}
    for finding in combine(text, findings, AssertionRules(text), system):
        found.setdefault(finding.code, []).append(finding.start)
    return {code: sorted(starts) for code, starts in found.items()}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["I10", "N18.4"], {"I12.9": [0, 1], "N18.4": [1]}),
        (["I10", "N18.6"], {"I12.0": [0, 1], "N18.6": [1]}),
        (["I10", "I50.9"], {"I11.0": [0, 1], "I50.9": [1]}),
        (["I10", "I50.9", "N18.31"], {"I13.0": [0, 1, 2], "I50.9": [1], "N18.31": [2]}),
        (["I10", "I50.9", "N18.5"], {"I13.2": [0, 1, 2], "I50.9": [1], "N18.5": [2]}),
        (["N18.4"], {"N18.4": [0]}),
        # The type of the diabetes counts, and a manifestation without a code of its own is evidence.
        (["E11.9", "N18.30"], {"E11.22": [0, 1], "N18.30": [1]}),
        (["E10.9", "R73.9"], {"E10.65": [0, 1]}),
        (["E11.9", "E16.2", "N18.4"], {"E11.22": [0, 2], "E11.649": [1], "N18.4": [2]}),
        (["E10.9", "E11.10"], {"E10.10": [0, 1]}),
        (["A41.9", "N17.9"], {"A41.9": [0], "N17.9": [1], "R65.20": [0, 1]}),
        (["R65.21"], {"R65.21": [0], "A41.9": [0]}),
        (["J12.82"], {"J12.82": [0], "U07.1": [0]}),
        # A disease has one form, the one that is specified anywhere.
        (["J44.9", "J44.1"], {"J44.1": [0, 1]}),
        (["I50.9", "I50.23", "R05.9"], {"I50.23": [0, 1], "R05.9": [2]}),
        (["F32.A", "F41.9"], {"F32.A": [0], "F41.9": [1]}),
    ],
)
def test_rules_without_words(
    system: CodeSystem, codes: list[str], expected: dict[str, list[int]]
) -> None:
    assert combined(system, "x" * len(codes), *codes) == expected


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("Obesity, BMI 33.4", "E66.9", "Z68.33"),
        ("Morbid obesity, BMI: 52", "E66.01", "Z68.43"),
        ("Underweight. BMI 17", "R63.6", "Z68.1"),
        ("ESRD on hemodialysis", "N18.6", "Z99.2"),
        ("ESRD, MWF HD", "N18.6", "Z99.2"),
        ("Prenatal visit at 24 weeks", "Z34.90", "Z3A.24"),
        ("IUP 38w2d", "Z34.90", "Z3A.38"),
    ],
)
def test_rules_with_words(system: CodeSystem, text: str, code: str, expected: str) -> None:
    assert expected in combined(system, text, code)


@pytest.mark.parametrize(
    ("text", "code", "codes"),
    [
        ("BMI 33.4 in a patient with asthma", "J45.909", {"J45.909"}),
        ("CKD 3, no dialysis needed", "N18.6", {"N18.6"}),
        ("A 9-year-old boy with obesity, BMI 28", "E66.9", {"E66.9"}),
        ("Cough for 3 weeks", "Z34.90", {"Z34.90"}),
        ("Delivered 6 weeks ago", "Z34.90", {"Z34.90"}),
    ],
)
def test_words_that_do_not_count(system: CodeSystem, text: str, code: str, codes: set[str]) -> None:
    assert set(combined(system, text, code)) == codes


def test_a_note_that_separates_two_conditions_is_believed(system: CodeSystem) -> None:
    text = "CKD 4 from lupus, not due to hypertension"
    assert combined(system, text, "I10", "N18.4") == {"I10": [0], "N18.4": [1]}
    both = "Type 2 diabetes of the mother"
    assert combined(system, both, "E10.9", "E11.10") == {"E10.9": [0], "E11.10": [1]}


def test_the_weeks_decide_the_trimester(system: CodeSystem) -> None:
    found = combined(system, "Gestational hypertension at 34 weeks", "O13.9")
    assert set(found) == {"O13.3", "Z3A.34"}


def test_chronic_conditions_of_the_past_are_combined(system: CodeSystem) -> None:
    findings = [
        Finding("E11.9", 0, 4, assertion="historical"),
        Finding("N18.4", 9, 12),
        Finding("Z85.3", 20, 25, assertion="historical"),
    ]
    text = "T2DM and CKD; history of cancer"
    found = combine(text, findings, AssertionRules(text), system)
    assert sorted({finding.code for finding in found}) == ["E11.22", "N18.4", "Z85.3"]


def test_only_present_conditions_are_combined(system: CodeSystem) -> None:
    findings = [Finding("I10", 0, 1), Finding("N18.4", 1, 2, assertion="negated")]
    assert combine("xx", findings, AssertionRules("xx"), system) == findings


def test_another_code_system_has_no_rules(tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("code,description\nI10,Hypertension\n", encoding="utf-8")
    findings = [Finding("I10", 0, 1), Finding("N18.4", 1, 2)]
    assert combine("xx", findings, AssertionRules("xx"), CodeSystem.load(str(table))) == findings


def test_a_combination_is_flagged_with_its_section() -> None:
    (combination, kidney) = Coder.lexicon().code("HTN and CKD 4.").codes
    assert combination.code == "I12.9"
    assert any("(Section I.C.9.a)" in flag for flag in combination.flags)
    assert [evidence.text for evidence in combination.evidence] == ["HTN", "CKD 4"]
    assert kidney.code == "N18.4"
    assert len({rule.says for rule in RULES}) == len(RULES)


def test_the_page_lists_all_rules() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with_rules()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("T2DM on insulin.", ["E11.9", "Z79.4"]),
        ("Afib, takes apixaban.", ["I48.91", "Z79.01"]),
        ("On insulin.", []),
        ("T2DM, metformin stopped.", ["E11.9"]),
        ("T2DM, metformin once daily.", ["E11.9", "Z79.84"]),
        ("T2DM, metformin given once.", ["E11.9"]),
        ("On long-term prednisone.", ["Z79.52"]),
    ],
)
def test_drugs_count_beside_their_condition(text: str, codes: list[str]) -> None:
    assert [assigned.code for assigned in Coder.lexicon().code(text).codes] == codes
