from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hypertensive heart disease with heart failure.", "I11.0 I50.9"),
        ("Anemia in CKD stage 4.", "D63.1 N18.4"),
        ("T2DM with gastroparesis.", "E11.43 K31.84"),
        ("Diabetic foot ulcer, type 2.", "E11.621 L97.509"),
        ("BPH, nocturia.", "N40.1 R35.1"),
        ("Dementia in Parkinson disease.", "F02.80 G20.A1"),
        ("Alzheimer dementia, no agitation.", "F02.80 G30.9"),
        ("Dementia with agitation.", "F03.911"),
    ],
)
def test_manifestations(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
