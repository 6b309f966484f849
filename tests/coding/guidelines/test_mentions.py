from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import Mentions
from cclearn.notes.assertion import AssertionRules

TEXT = "Asthma. Cough, no fever. Cough at night."


def mentions(system: CodeSystem, *findings: Finding) -> Mentions:
    return Mentions(TEXT, findings, AssertionRules(TEXT), system)


def codes(found: Mentions) -> list[str]:
    return [finding.code for finding in found.findings]


def test_findings_are_found_by_stems_of_any_length(system: CodeSystem) -> None:
    found = mentions(system, Finding("J45.909", 0, 6), Finding("R05.9", 8, 13))
    for stems, expected in {("J45",): ["J45.909"], ("R", "J4"): codes(found), ("I10",): []}.items():
        assert [finding.code for finding in found.of(*stems)] == expected
    found.add_span(0, 6, "I10", "rule")
    assert [finding.code for finding in found.of("I10")] == ["I10"]


def test_only_conditions_of_now_are_combined(system: CodeSystem) -> None:
    negated = Finding("R50.9", 18, 23, assertion="negated")
    found = mentions(system, Finding("J45.909", 0, 6), negated)
    assert codes(found) == ["J45.909"]
    assert found.others == [negated]


def test_findings_are_added_changed_and_removed(system: CodeSystem) -> None:
    found = mentions(system, Finding("J45.909", 0, 6), Finding("R05.9", 8, 13))
    found.recode(found.of("J45"), "J45.901", "rule")
    assert [(finding.code, finding.rule) for finding in found.of("J45")] == [("J45.901", "rule")]
    found.recode(found.of("J45"), "no code", "rule")
    found.add(found.of("J45"), "J45.901", "rule")
    found.add_span(0, 6, None, "rule")
    assert codes(found) == ["J45.901", "R05.9"]
    found.remove(found.within(0, 7))
    assert codes(found) == ["R05.9"]


def test_codes_of_tables_are_those_of_the_release(system: CodeSystem) -> None:
    found = mentions(system)
    assert found.billable("Z91.0110") in ("Z91.0110", "Z91.011")
    assert found.billable("I10.999") == "I10"
    assert found.billable("X") is None


def test_sentences_are_found_by_their_words(system: CodeSystem) -> None:
    found = mentions(system)
    assert [TEXT[start:end] for start, end in found.sentences_with(("cough", "night"))] == [
        "Cough, no fever. ",
        "Cough at night.",
    ]
    assert found.sentences_with(("edema",)) == []
    assert found.is_present(8, 13)
    assert not found.is_present(18, 23)
