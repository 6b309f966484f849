from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem, conflict, conflicts, excludes
from cclearn.codes.references import CodeIndex, references


@pytest.mark.parametrize(
    ("note", "inside", "outside"),
    [
        ("diabetes (E10-E13)", ["E10.9", "E13", "E11.65"], ["E14", "E09.9", "D10"]),
        ("failure (I50.2-, J81.0)", ["I50.2", "I50.21", "J81.0"], ["I50.1", "J81.1", "I50"]),
        (
            "poisoning (T36-T50 with fifth or sixth character 1-4)",
            ["T36.0X1A", "T40.601A"],
            ["T36.0X5A", "T36", "T51.0X1A"],
        ),
        (
            "any (S42.- with 7th character B or C)",
            ["S42.001B", "S42.001C"],
            ["S42.001A", "S42.001"],
        ),
        ("aphasia (I69. with final characters -20)", ["I69.320"], ["I69.321", "I69.32"]),
        ("whooping cough (A37 with fifth-character 1)", ["A37.01"], ["A37.00"]),
        ("open (S52.- with open fracture 7th character)", [], ["S52.001B"]),
        ("a stroke (ischemic) of words alone", [], ["I63.9"]),
    ],
)
def test_codes_that_a_note_names(note: str, inside: list[str], outside: list[str]) -> None:
    named = list(references(note))
    for code in inside:
        assert any(reference.covers(code) for reference in named), code
    for code in outside:
        assert not any(reference.covers(code) for reference in named), code


def test_every_code_that_a_note_names_is_in_the_release(system: CodeSystem) -> None:
    bare = {code.code.replace(".", "") for code in system.rows()}
    found = missing = 0
    for code in system.rows():
        for text, _ in system.notes(code.code, "excludes1", inherited=False):
            for reference in references(text):
                found += 1
                missing += reference.first not in bare or reference.last not in bare
    assert found > 5_000
    assert missing < 0.01 * found


def test_excludes1_conflicts(system: CodeSystem) -> None:
    note = conflict(system, "e119", "E10.9")
    assert note is not None
    assert note.at == "E11"
    assert conflict(system, "E10.9", "E11.9") is not None
    assert conflict(system, "I21.4", "I10") is None
    # Excludes2: both may be coded.
    foot = [
        note
        for note in excludes(system, "S72.001A", "excludes2")
        if any(reference.covers("S92.001A") for reference in note.references)
    ]
    assert [note.at for note in foot] == ["S72"]
    assert conflict(system, "S72.001A", "S92.001A") is None


def test_inherited_notes_name_their_code(system: CodeSystem) -> None:
    own = [note.at for note in excludes(system, "E11.9")]
    assert "E11" in own
    assert all(at in ("E11.9", *system.ancestors("E11.9")) for at in own)
    assert {at for _, at in system.notes("E11.9", "excludes1", inherited=False)} == {"E11.9"}


CODES = ["E10.9", "E11.9", "E13.65", "I10", "I69.320", "J81.0", "R10.83", "R52", "S42.001B"]


@given(st.lists(st.sampled_from(CODES)))
def test_an_index_finds_what_a_reference_covers(codes: list[str]) -> None:
    index = CodeIndex(codes)
    notes = "(E10-E13) (E11.-) (J81.0, R10.-) (A00-Z99) (I69. with final characters -20) (R52)"
    for reference in references(notes):
        assert list(index.covered_by(reference)) == sorted(filter(reference.covers, set(codes)))


@given(st.sets(st.sampled_from(CODES)))
def test_conflicts_are_those_of_every_pair(codes: set[str]) -> None:
    system = CodeSystem.load()
    expected = [
        (one, two, note)
        for one, two in combinations(sorted(codes), 2)
        if (note := conflict(system, one, two)) is not None
    ]
    assert list(conflicts(system, codes)) == expected


def test_pain_of_the_abdomen_is_not_coded_as_pain(system: CodeSystem) -> None:
    ((one, two, note),) = conflicts(system, ["R52", "I10", "R10.83"])
    assert (one, two, note.at) == ("R10.83", "R52", "R52")
