from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pneumonia with cough.", "J18.9"),
        ("Cough.", "R05.9"),
        ("Chest pain due to GERD.", "K21.9"),
        ("Chest pain. GERD.", "K21.9 R07.9"),
        ("E. coli in the urine culture.", ""),
        ("Cystitis, E. coli.", "B96.20 N30.90"),
        ("Delirium due to UTI.", "F05 N39.0"),
        ("Delirium.", "R41.0"),
        ("n/v/d x1 day.", "R11.2 R19.7"),
        ("No n/v/d.", ""),
        ("Incontinent of urine and stool.", "R15.9 R32"),
        ("Right wrist pain after a fall, right distal radius fracture.", "S52.501A"),
        ("Left wrist pain. Right distal radius fracture.", "M25.532 S52.501A"),
        ("Seizure, history of epilepsy.", "G40.909"),
        ("CAD s/p PCI with DES.", "I25.10 Z95.5"),
    ],
)
def test_symptoms(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
