from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anemia due to chemotherapy.", "D64.81 T45.1X5A"),
        ("Hypotension from lisinopril taken as prescribed.", "I95.2 T46.4X5A"),
        ("Hypotension from lisinopril.", "I95.9"),
        ("Lisinopril taken as prescribed.", ""),
        ("Amiodarone-induced hypothyroidism, taken as directed.", "E03.2 T46.2X5A"),
        ("Anemia, not due to chemotherapy.", "D64.9"),
    ],
)
def test_adverse_effects(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
