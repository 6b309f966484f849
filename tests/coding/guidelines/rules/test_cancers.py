from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Invasive ductal carcinoma of the left breast, upper outer quadrant."
            " A/P: Left breast cancer",
            "C50.412",
        ),
        ("Here for cycle 3 of AC chemotherapy for breast cancer.", "C50.919 Z51.11"),
        ("Here for infusion of pembrolizumab for lung cancer", "C34.90 Z51.12"),
        ("Here for radiation therapy, prostate cancer", "C61 Z51.0"),
        ("Metastatic ER+ HER2+ breast cancer to bone and lung.", "C50.919 C78.00 C79.51 Z17.410"),
        ("ER+/PR+/HER2- breast cancer.", "C50.919 Z17.411"),
        ("Triple negative breast cancer, right", "C50.911 Z17.421"),
    ],
)
def test_cancers(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
