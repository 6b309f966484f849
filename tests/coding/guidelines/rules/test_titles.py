from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60-year-old man with cancer of the right breast.", "C50.921"),
        ("60-year-old woman with cancer of the right breast.", "C50.911"),
        ("Concussion with LOC for 5 minutes.", "S06.0X1A"),
        ("Concussion with loss of consciousness.", "S06.0X9A"),
    ],
)
def test_titles(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
