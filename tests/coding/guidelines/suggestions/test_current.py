from __future__ import annotations

import pytest

from cclearn.coding.guidelines.suggestions.current import (
    is_considered,
    is_current_drug,
    is_current_value,
)
from cclearn.coding.guidelines.suggestions.names import Names, NoteText


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("History of coronary disease, K 2.9", True),
        ("Admitted with weakness. K 2.9 (baseline 4.0)", True),
        ("Previous K 2.9", False),
        ("K 2.9 three months ago", False),
        ("Urine studies: K 2.9", False),
        ("GOALS:\nK 2.9", False),
    ],
)
def test_values(text: str, current: bool) -> None:
    start = text.index("K 2.9")
    note = NoteText(text, frozenset())
    assert is_current_value(note, start, start + 5, vital=False) is current


def test_exertion_matters_for_vital_signs_only() -> None:
    note = NoteText("On the treadmill 165 bpm", frozenset())
    assert is_current_value(note, 17, 20, vital=False)
    assert not is_current_value(note, 17, 20, vital=True)


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("Takes insulin once daily", True),
        ("Start insulin 10 units", True),
        ("No fever. Takes insulin", True),
        ("Insulin given once", False),
        ("Previously on insulin", False),
        ("No insulin", False),
        ("insulin resistance", False),
        ("Mother takes insulin", False),
        ("Allergies:\nlatex\ninsulin", False),
    ],
)
def test_drugs(text: str, current: bool) -> None:
    start = text.lower().index("insulin")
    assert is_current_drug(NoteText(text, frozenset()), start, start + 7) is current


@pytest.mark.parametrize(
    ("text", "considered"),
    [
        ("Diabetes", True),
        ("No diabetes", True),
        ("Possible diabetes", True),
        ("Mother has diabetes", False),
        ("Hypertension", False),
    ],
)
def test_conditions(text: str, considered: bool) -> None:
    assert is_considered(NoteText(text, frozenset()), Names(["diabet*"])) is considered
