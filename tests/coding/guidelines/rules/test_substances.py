from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Alcohol abuse, alcohol dependence", "F10.20"),
        ("Alcohol use disorder, severe, alcohol withdrawal", "F10.239"),
        ("Alcohol dependence with withdrawal", "F10.239"),
        ("Cocaine use, cocaine abuse", "F14.10"),
        ("Opioid dependence and opioid abuse", "F11.20"),
        ("Alcohol withdrawal", "F10.939"),
        ("Opioid dependence on methadone maintenance; opioid withdrawal", "F11.23"),
    ],
)
def test_substances(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
