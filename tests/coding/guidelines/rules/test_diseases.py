from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CAD, unstable angina", "I25.110"),
        ("CAD with stable angina", "I25.118"),
        ("Coronary artery disease. Angina pectoris.", "I25.119"),
        ("CAD, chest pain", "I25.10 R07.9"),
        ("Hypertensive heart disease. CHF.", "I11.0 I50.9"),
        ("CKD stage 5 on dialysis", "N18.6 Z99.2"),
        ("CKD stage 5 on hemodialysis, hypertension", "I12.0 N18.6 Z99.2"),
        ("Hypertension, cardiomegaly", "I11.9"),
        ("Hypertensive CKD stage 4, CHF", "I13.0 I50.9 N18.4"),
        ("T2DM, poorly controlled, A1c 10", "E11.65"),
        ("Patient with hypertensive emergency, CHF and ESRD", "I13.2 I16.1 I50.9 N18.6"),
        ("Hypertensive emergency", "I16.1"),
        ("CKD stage 5, not yet on dialysis", "N18.5"),
        ("ESRD. Her father is on dialysis.", "N18.6"),
        ("ESRD. Denies dialysis. Now started on hemodialysis.", "N18.6 Z99.2"),
        ("T2DM w/ neuropathy and nephropathy", "E11.21 E11.40"),
        ("Mild AS and moderate MR on echo.", "I08.0"),
        ("Moderate MR and mild TR.", "I08.1"),
        ("Mod MR, mild TR, severe AS.", "I08.3"),
        ("HFpEF. Acute on chronic diastolic HF", "I50.33"),
        ("Mixed HLD. HLD - statin.", "E78.2"),
        ("Class 2 obesity. Obese.", "E66.812"),
        ("Chronic hep C. HCV.", "B18.2"),
        ("PJP pneumonia", "B59"),
        ("Type 2 diabetes. Neuropathy due to alcohol.", "E11.9 G62.9"),
        ("Type 2 diabetes. CKD secondary to diabetes.", "E11.22 N18.9"),
    ],
)
def test_diseases(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
