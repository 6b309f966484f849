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
        ("Prostate, needle bx: adenocarcinoma.", "C61"),
        ("Lung, RUL, wedge: adenocarcinoma", "C34.11"),
        ("Bladder, TURBT: urothelial carcinoma", "C67.9"),
        ("1. Colon, sigmoid, biopsy: Tubular adenoma.", "D12.5"),
        ("Breast L bx: DCIS", "D05.12"),
        (
            "FINAL DIAGNOSIS:\nProstate, radical prostatectomy:\n- Adenocarcinoma, Gleason 4+3",
            "C61",
        ),
        ("Kidney, left, nephrectomy: clear cell renal cell carcinoma", "C64.2"),
        # What is no neoplasm needs no site from the header.
        ("Stomach, antrum, biopsy: chronic gastritis.", "K29.50"),
        ("Lymph node, biopsy: benign reactive changes", ""),
        ("Prostate, biopsy: negative for adenocarcinoma", ""),
        ("Prostate: enlarged. Biopsy planned.", ""),
    ],
)
def test_a_neoplasm_of_a_specimen_has_the_code_of_its_site(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert [code.code for code in lexicon.code(text).codes] == expected.split()
