from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPD (2 ppd x 30 y, quit 2015)", "J44.9 Z87.891"),
        ("2ppd smoker since his teens; quit 2 years ago.", "Z87.891"),
        ("Tobacco: 1 pack per day.", "F17.210"),
        ("1.5 packs/day x 20 yrs", "F17.210"),
        ("Tobacco: 1 ppd, wants to quit.", "F17.210"),
        ("Smokes 1 ppd, quit drinking in 2010.", "F17.210"),
        ("Smokes 1 ppd. Wife quit 5 years ago.", "F17.210"),
        ("PPD placed today, read in 48 h.", ""),
        ("Father smoked 2 ppd.", ""),
        ("Never smoked a pack a day.", ""),
        ("Cold packs twice a day.", ""),
        ("Still smoking 1/2 ppd", "F17.210"),
    ],
)
def test_tobacco(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
