from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.rows.checked_codes import CodeCheck

TEXT = "Asthma, heart failure and more heart failure."


def pair(code: str) -> SpanPair:
    return SpanPair(
        id="p", text="x", code=code, system="icd10cm", grade="gold", source="s", origin="public"
    )


def note(*codes: tuple[str, int]) -> CodedNote:
    """Return a note with codes, each with the word at an offset as its evidence."""
    assigned = [
        AssignedCode(code=c, evidence=[Evidence(start=at, end=at + 5, text=TEXT[at : at + 5])])
        for c, at in codes
    ]
    return CodedNote(id="n", text=TEXT, codes=assigned)


def test_billable_codes_are_kept_in_their_official_spelling(system: CodeSystem) -> None:
    check = CodeCheck(system, "raise")
    kept = check.pair(pair("i214"))
    assert kept is not None
    assert (kept.code, kept.release) == ("I21.4", system.release)
    whole = note(("I10", 0), ("J45.909", 8))
    assert check.note(whole) is whole
    empty = note()
    assert check.note(empty) is empty
    assert (check.problem, check.dropped, check.replaced) == (None, 0, 0)


def test_codes_that_are_not_billable_are_dropped_and_counted(system: CodeSystem) -> None:
    check = CodeCheck(system, "drop")
    assert check.pair(pair("ZZZ.99")) is None
    assert check.pair(pair("I50")) is None
    assert check.note(note(("ZZZ.99", 0))) is None
    kept = check.note(note(("ZZZ.99", 0), ("I10", 8)))
    assert kept is not None
    assert [assigned.code for assigned in kept.codes] == ["I10"]
    assert (check.dropped, check.replaced) == (4, 0)
    assert check.problem == (
        f"1 code is a header (I50) and 3 codes are unknown (ZZZ.99) in icd10cm {system.release}"
    )


def test_headers_become_their_unspecified_child(system: CodeSystem) -> None:
    check = CodeCheck(system, "unspecified")
    kept = check.pair(pair("I50"))
    assert kept is not None
    assert kept.code == system.unspecified("I50") == "I50.9"
    assert check.pair(pair("ZZZ.99")) is None
    merged = check.note(note(("I50.9", 31), ("I10", 0), ("I50", 8)))
    assert merged is not None
    assert [(a.code, [e.start for e in a.evidence]) for a in merged.codes] == [
        ("I50.9", [8, 31]),
        ("I10", [0]),
    ]
    assert (check.dropped, check.replaced) == (1, 2)
