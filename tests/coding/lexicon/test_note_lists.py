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
        ("History of HTN, DM, and stroke", "I10 E11.9 Z86.73"),
        (
            "72F with a history of hypertension, atrial fibrillation, stroke and breast cancer.",
            "I10 I48.91 Z86.73 Z85.3",
        ),
        ("PMH: HTN, MI, DVT, pneumonia, CKD", "I12.9 I25.2 Z86.718 Z87.01 N18.9"),
        ("Past Medical History:\n- HTN\n- Stroke\n- Pulmonary embolism", "I10 Z86.73 Z86.711"),
        ("PMH: HTN. She presents with pneumonia.", "I10 J18.9"),
        ("PMH: HTN, DM2\nChief complaint: stroke", "I10 E11.9 I63.9"),
        ("History of HTN and now presents with stroke.", "I10 I63.9"),
        ("History of hypertension, acute stroke today.", "I10 I63.9"),
        ("PMH: HTN, breast cancer on letrozole", "I10 C50.919 Z79.811"),
        ("History of HTN on lisinopril, stroke", "I10 Z86.73"),
        ("Hx: stroke, MI", "Z86.73 I25.2"),
        ("History of COPD, presenting with pneumonia", "J44.0 J18.9"),
        ("PMHx - CAD, CVA, TIA", "I25.10 Z86.73"),
        ("History of present illness: pneumonia, stroke.", "J18.9 I63.9"),
        ("Stroke. History of HTN.", "I63.9 I10"),
        ("Pt with h/o DM and metastatic breast cancer", "E11.9 C50.919"),
        (
            "PMH significant for HTN, HLD, CAD with prior MI, and stroke in 2015 with residual left"
            " hemiparesis.",
            "I10 E78.5 I25.10 I25.2 I69.354",
        ),
        ("Discharge diagnoses:\n1. AKI, resolved\n2. Pneumonia", "N17.9 J18.9"),
        ("AKI, resolved", "Z87.448"),
        ("Medical History\nStroke\nMI\nDVT\nPneumonia", "Z86.73 I25.2 Z86.718 Z87.01"),
        ("PMH: GI bleed, small bowel obstruction", "Z87.19"),
        ("Chronic systolic CHF (HCC)", "I50.22"),
        ("• Stroke (HCC) 2018", "Z86.73"),
        ("Morbid obesity (HCC)", "E66.01"),
        ("65 yo F w/ PMHx notable for CVA x2, MI, PE (2019)", "Z86.73 I25.2 Z86.711"),
        ("PMH: sepsis, respiratory failure, AKI, C diff, COVID-19", "Z86.19 Z87.09 Z87.448 Z86.16"),
        ("PMH: ectopic pregnancy, miscarriage", "Z87.59"),
        ("PMH: gestational diabetes with first pregnancy, preeclampsia", "Z86.32 Z87.59"),
        ("Prostate cancer s/p radical prostatectomy 2016, PSA undetectable.", "Z85.46 Z90.79"),
        ("Melanoma of back excised 2017", "Z85.820"),
        ("Basal cell carcinoma left cheek s/p Mohs 2019", "Z85.828"),
        ("Breast cancer s/p lumpectomy 2023, on chemotherapy", "C50.919"),
        ("PMH: left breast cancer", "Z85.3"),
        ("Past Medical History\nHTN\nBreast cancer", "I10 Z85.3"),
        ("Initially thought to have pneumonia but CT showed PE.", "I26.99"),
        ("Dysphagia. Hx of aspiration pneumonia.", "R13.10 Z87.01"),
        ("DCIS R breast 2010 s/p lumpectomy", "D05.11"),
        ("CAD, no CHF, DM2, COPD", "I25.10 E11.9 J44.9"),
        ("cough, no fever, chills, night sweats", "R05.9"),
        ("no fever, chills, pneumonia", ""),
        (
            "PMH: DM2, HTN, asthma\n1. Acute hypoxic RF d/t COVID-19 pna\n2. RUE DVT",
            "E11.9 I10 J45.909 J96.01 U07.1 J12.82 I82.621",
        ),
        ("T1DM. Hx of DKA x2.", "E10.9"),
        ("H/o alcohol withdrawal. Alcohol use disorder.", "F10.20"),
    ],
)
def test_conditions_in_lists_of_the_history(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())
