from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lateral epicondylitis, both elbows.", "M77.11 M77.12"),
        ("Carpal tunnel syndrome of both hands.", "G56.03"),
        ("Lateral epicondylitis, both parents came.", "M77.10"),
        ("Bilateral cataract surgery in 2015.", "Z98.41 Z98.42"),
    ],
)
def test_sides(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
