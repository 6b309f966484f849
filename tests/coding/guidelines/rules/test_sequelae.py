from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stroke in 2015 with residual left hemiparesis", "I69.354"),
        ("Residual right hemiparesis from prior stroke", "I69.351"),
        ("Prior CVA with residual aphasia", "I69.320"),
        ("History of stroke with residual dysphagia", "I69.391"),
        ("Old stroke with left-sided weakness", "I69.354"),
        ("Acute stroke with left hemiparesis", "G81.94 I63.9"),
        ("CVA 2019 with residual right-sided weakness and aphasia", "I69.320 I69.351"),
        ("CVA w/ residual L hemiparesis.", "I69.354"),
        ("L hemiparesis s/p R CVA 2023.", "I69.354"),
        ("Acute CVA. Left hemiparesis s/p tPA.", "G81.94 I63.9"),
        ("History of stroke without residual deficits", "Z86.73"),
        ("History of stroke, dysphagia evaluated for GERD", "K21.9 R13.10 Z86.73"),
        ("Residual left hemiparesis from prior stroke.", "I69.354"),
    ],
)
def test_sequelae(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
