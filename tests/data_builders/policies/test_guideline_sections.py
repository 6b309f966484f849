"""Each section that the shipped content names exists in the guidelines, and says what it is used for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from data_builders.policies.engine import UNCERTAIN_SECTIONS
from tests.data_builders.content.shipped import shipped_content

WORDS = {
    "I.A.13": "a coding convention that requires the underlying condition be sequenced first",
    "I.A.15": "presumes a causal relationship between the two conditions linked by these terms",
    "I.B.2": "to the highest level of specificity documented in the medical record",
    "I.B.5": "associated routinely with a disease process should not be assigned as additional codes",
    "I.B.7": "“Use additional code” notes are found in the Tabular List",
    "I.B.14": "a dietitian often documents the BMI",
    "I.C.1.a.2.a": "followed by additional diagnosis codes for all reported HIV-related conditions",
    "I.C.1.a.2.d": "Z21, Asymptomatic human immunodeficiency virus [HIV] infection status, is to be",
    "I.C.1.a.2.f": "Once a patient has developed an HIV-related illness, the patient should always",
    "I.C.1.d.1.a": "For a diagnosis of sepsis, assign the appropriate code for the underlying systemic",
    "I.C.1.d.1.b": "The coding of severe sepsis requires a minimum of 2 codes",
    "I.C.1.d.2": "Septic shock generally refers to circulatory failure associated with severe sepsis",
    "I.C.1.d.4": "the code for the localized infection should be assigned as a secondary diagnosis",
    "I.C.1.g.1.a": "Code only a confirmed diagnosis of the 2019 novel coronavirus",
    "I.C.1.g.1.b": "U07.1, COVID-19, should be sequenced first, followed by",
    "I.C.2": "Chapter 2 of the ICD-10-CM contains the codes for most benign and all malignant",
    "I.C.2.b": "the secondary neoplasm is designated as the principal diagnosis",
    "I.C.2.c.1": "followed by the appropriate code for the anemia (such as code D63.0",
    "I.C.2.e.2": "chiefly for the administration of chemotherapy, immunotherapy or external beam",
    "I.C.2.m": "there is no evidence of any existing primary malignancy at that site",
    "I.C.4.a": "Assign as many codes from categories E08 – E13 as needed",
    "I.C.4.a.3": "both code Z79.4, Long term (current) use of insulin, and code Z79.84",
    "I.C.5.b": "Mental and behavioral disorders due to psychoactive substance use",
    "I.C.5.b.2": "only one code should be assigned to identify the pattern of use",
    "I.C.5.d": "classifies dementia (categories F01, F02, and F03) on the basis of the etiology",
    "I.C.6.b.4": "Chronic pain is classified to subcategory G89.2",
    "I.C.6.b.5": "Code G89.3 is assigned to pain documented as being related, associated or due to",
    "I.C.9.a": "presumes a causal relationship between hypertension and heart involvement",
    "I.C.9.a.1": "Hypertension with heart conditions classified to I50.-",
    "I.C.9.a.2": "Assign codes from category I12, Hypertensive chronic kidney disease",
    "I.C.9.a.3": "Assign codes from combination category I13, Hypertensive heart and chronic kidney",
    "I.C.9.b": "A causal relationship can be assumed in a patient with both atherosclerosis and angina",
    "I.C.9.d.1": "neurologic deficits that persist after initial onset",
    "I.C.9.d.3": "should not be assigned if the patient does not have neurologic deficits",
    "I.C.9.e.1": "For old or healed myocardial infarctions not requiring further care",
    "I.C.10.a": "distinguish between uncomplicated cases and those in acute exacerbation",
    "I.C.10.b": "A code from subcategory J96.0, Acute respiratory failure, or subcategory",
    "I.C.12.a": "Codes in category L89, Pressure ulcer, identify the site and stage",
    "I.C.13.d.1": "Category M81, Osteoporosis without current pathological fracture",
    "I.C.13.d.2": "Category M80, Osteoporosis with current pathological fracture",
    "I.C.14.a": "The ICD-10-CM classifies CKD based on severity",
    "I.C.18.a": "when a related definitive diagnosis has not been established",
    "I.C.18.b": "in addition to a related definitive diagnosis when the sign or symptom is not",
    "I.C.18.d": "Code R29.6, Repeated falls, is for use for encounters",
    "I.C.19.b": "The code for the most serious injury",
    "I.C.19.b.1": "Superficial injuries such as abrasions or contusions are not coded",
    "I.C.19.c.1": "Fractures are coded using the appropriate 7th character for subsequent care",
    "I.C.19.e.5.a": "When coding an adverse effect of a drug that has been correctly prescribed",
    "I.C.19.e.5.c": "Underdosing refers to taking less of a medication than is prescribed",
    "I.C.20.a": "An external cause code may be used with any code in the range of",
    "I.C.20.b": "Codes from category Y92, Place of occurrence of the external cause",
    "I.C.21.c.3": "Status codes indicate that a patient is either a carrier of a disease",
    "I.C.21.c.4": "Personal history codes explain a patient’s past medical condition",
    "I.C.21.c.7": "Aftercare visit codes cover situations when the initial treatment",
    "I.C.21.c.17": "Social determinants of health (SDOH) codes describing social problems",
    "II.H": "code the condition as if it existed or was",
    "IV.H": "Do not code diagnoses documented as “probable”",
}
"""Words of each section of the guidelines for the fiscal year 2025."""


def test_every_section_of_the_content_is_known(system: CodeSystem) -> None:
    content = shipped_content(system)
    named = {fact.section for fact in content.facts.values()}
    named |= {policy.section for policy in content.policies} | set(UNCERTAIN_SECTIONS.values())
    assert named <= WORDS.keys(), sorted(named - WORDS.keys())


@pytest.mark.shared_data
def test_the_sections_say_what_they_are_used_for(shared_data: Path) -> None:
    path = shared_data / "icd10cm_guidelines" / "icd-10-cm-guidelines-FY2025.txt"
    text = " ".join(path.read_text(encoding="utf-8").split())
    missing = [section for section, words in WORDS.items() if words not in text]
    assert missing == []
