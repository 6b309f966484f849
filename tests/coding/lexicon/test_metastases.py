from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.tables import METASTASES, read_table
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.lexicon.metastases import find_metastases


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metastases to bone, liver and brain", "C79.51 C78.7 C79.31"),
        ("Breast cancer with metastases to lung and bone", "C50.919 C78.00 C79.51"),
        ("Metastatic lung cancer to brain", "C34.90 C79.31"),
        (
            "Lung cancer metastatic to the brain, liver, and adrenal gland",
            "C34.90 C79.31 C78.7 C79.70",
        ),
        ("Prostate cancer with bone metastases", "C61 C79.51"),
        ("Colon cancer with liver mets", "C18.9 C78.7"),
        ("Brain metastases from melanoma", "C79.31 C43.9"),
        ("Liver and lung metastases", "C78.7 C78.00"),
        ("Metastatic disease to liver", "C78.7"),
        ("No metastases to liver or brain.", ""),
        ("Mets to the left lung and right adrenal gland", "C78.02 C79.71"),
        ("Pancreatic cancer with hepatic and peritoneal metastases", "C25.9 C78.7 C78.6"),
        ("Metastatic liver lesions", "C78.7"),
        ("Pathologic fracture due to bone metastasis", "M84.50XA"),
        ("Metastatic breast cancer to bone", "C50.919 C79.51"),
        ("Metastatic adenocarcinoma of the lung", "C34.90"),
        ("Metastatic prostate cancer to the spine and pelvis", "C61 C79.51"),
        ("Malignant melanoma metastatic to brain", "C43.9 C79.31"),
        ("metastatic lung cancer", "C34.90"),
        ("Metastatic non-small cell lung cancer", "C34.90"),
        ("lung metastasis", "C78.00"),
        ("pulmonary metastatic nodules", "C78.00"),
        ("Metastatic breast cancer (bone, brain).", "C50.919 C79.51 C79.31"),
        ("Breast cancer metastatic to bone (spine, ribs), liver", "C50.919 C79.51 C78.7"),
        ("Mets: bone, liver, lung, brain.", "C79.51 C78.7 C78.00 C79.31"),
        ("Metastasis to left cervical lymph nodes.", "C77.0"),
    ],
)
def test_each_site_has_its_code(lexicon: LexiconCoder, text: str, expected: str) -> None:
    assert {assigned.code for assigned in lexicon.code(text).codes} == set(expected.split())


def test_offsets_of_the_sites_are_those_of_the_text() -> None:
    text = "Mets to the LEFT lung,\nliver and bones."
    found = list(find_metastases(text))
    assert [(text[one.start : one.end], one.code) for one in found] == [
        ("Mets to the LEFT lung", "C78.02"),
        ("liver", "C78.7"),
        ("bones", "C79.51"),
    ]
    assert [text[slice(*one.site)] for one in found] == ["lung", "liver", "bones"]


def test_all_codes_of_the_table_are_billable(system: CodeSystem) -> None:
    codes = [code.replace("?", digit) for code, _ in read_table(METASTASES) for digit in "012"]
    assert all(map(system.is_billable, codes))
