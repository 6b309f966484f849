from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from data_builders.policies.engine import PolicyEngine, Setting
from data_builders.templates.statements import Statement
from tests.data_builders.content.shipped import shipped_content


def statements(system: CodeSystem, *names: str) -> list[Statement]:
    """Return statements of shipped facts: `fact`, `fact.form`, or `?fact` for an uncertain one."""
    facts = shipped_content(system).facts
    found = []
    for name in names:
        uncertain, name = name.startswith("?"), name.lstrip("?")
        fact, _, form = name.partition(".")
        code = facts[fact].forms[form].code if form else facts[fact].code
        words = facts[fact].forms[form].words if form else facts[fact].words
        found.append(Statement(fact, facts[fact].kind, words, form, code, uncertain))
    return found


def codes(system: CodeSystem, *names: str, setting: Setting = "inpatient") -> list[str]:
    content = shipped_content(system)
    engine = PolicyEngine(content.policies, content.facts)
    return [a.code for a in engine.assign(statements(system, *names), setting)]


@pytest.mark.parametrize(
    ("documented", "expected"),
    [
        # I.C.9.a: hypertension with heart failure, with kidney disease, with both.
        (["hypertension"], ["I10"]),
        (["hypertension", "heart_failure.systolic_chronic"], ["I11.0", "I50.22"]),
        (["heart_failure", "hypertension"], ["I11.0", "I50.9"]),
        (["hypertension", "ckd.stage_4"], ["I12.9", "N18.4"]),
        (["hypertension", "ckd.stage_5"], ["I12.0", "N18.5"]),
        (["hypertension", "esrd", "dialysis_dependence"], ["I12.0", "N18.6", "Z99.2"]),
        (["hypertension", "heart_failure", "ckd.stage_3b"], ["I13.0", "I50.9", "N18.32"]),
        (["hypertension", "heart_failure", "esrd"], ["I13.2", "I50.9", "N18.6"]),
        # I.C.4.a and I.A.15: combinations of diabetes.
        (["diabetes_2"], ["E11.9"]),
        (["diabetes_2", "ckd.stage_3a"], ["E11.22", "N18.31"]),
        (["diabetes_2", "neuropathy_diabetic", "ckd"], ["E11.22", "E11.42", "N18.9"]),
        (["diabetes_1", "hyperglycemia"], ["E10.65"]),
        (["diabetes_2", "hypertension", "ckd.stage_4"], ["E11.22", "I12.9", "N18.4"]),
        (["diabetes_2", "foot_ulcer_diabetic.left_fat"], ["E11.621", "L97.522"]),
        # I.C.10.a: COPD with pneumonia, with exacerbation, with both.
        (["copd", "pneumonia"], ["J44.0", "J18.9"]),
        (["copd.exacerbation"], ["J44.1"]),
        (["copd.exacerbation", "pneumonia"], ["J44.1", "J44.0", "J18.9"]),
        # I.C.1.d: sepsis comes before the local infection.
        (["pneumonia", "sepsis", "septic_shock"], ["A41.9", "J18.9", "R65.21"]),
        (["uti", "e_coli"], ["N39.0", "B96.20"]),
        (["uti", "sepsis.e_coli", "e_coli"], ["A41.51", "N39.0"]),
        # I.B.5: symptoms that belong to a disease.
        (["pneumonia", "cough", "fever", "hypoxia"], ["J18.9", "R09.02"]),
        (["uti", "dysuria"], ["N39.0"]),
        # I.A.13: the underlying disease comes first.
        (["dementia.severe", "alzheimer"], ["G30.9", "F02.C0"]),
        (["esrd", "anemia_chronic"], ["N18.6", "D63.1"]),
        (["anemia_chronic", "esrd"], ["N18.6", "D63.1"]),
        # I.C.2.e.2 and I.C.6.b.5.
        (["colon_cancer.sigmoid", "chemotherapy_encounter"], ["Z51.11", "C18.7"]),
        (["lung_cancer", "neoplasm_pain"], ["C34.90", "G89.3"]),
        # I.C.19.e.5: the effect comes before the drug; underdosing and its reason.
        (["opioid_adverse_effect", "constipation"], ["K59.03", "T40.2X5A"]),
        (["hypertension", "underdosing_financial"], ["I10", "T46.5X6A", "Z91.120"]),
    ],
)
def test_codes_follow_the_guidelines(
    system: CodeSystem, documented: list[str], expected: list[str]
) -> None:
    assert codes(system, *documented) == expected


def test_uncertain_diagnoses_are_coded_for_inpatients_only(system: CodeSystem) -> None:
    assert codes(system, "cough", "?pneumonia") == ["J18.9"]
    assert codes(system, "cough", "?pneumonia", setting="outpatient") == ["R05.9"]


def test_the_evidence_are_the_facts_of_the_condition(system: CodeSystem) -> None:
    content = shipped_content(system)
    engine = PolicyEngine(content.policies, content.facts)
    documented = statements(
        system, "copd.exacerbation", "gout", "pneumonia", "esrd", "anemia_chronic"
    )
    found = {a.code: a for a in engine.assign(documented, "inpatient")}
    assert found["J44.0"].facts == [0, 2]
    assert found["J44.1"].facts == [0]  # The fact has this code by itself.
    assert found["M10.9"].facts == [1]
    assert found["N18.6"].facts == [3]
    assert found["J44.0"].reasons == ["I.C.10.a copd_exacerbation_with_pneumonia"]
    assert found["M10.9"].reasons == ["I.B.2"]
