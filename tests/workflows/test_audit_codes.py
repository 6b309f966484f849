"""The audit of assigned codes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.errors import DataError
from cclearn.notes import Note
from cclearn.workflows.audit_codes import AssignedCodes, audit_notes

TEXT = (
    "Acute systolic heart failure. Type 2 diabetes. No pneumonia. Essential hypertension."
    " Patient has asthma."
)


def audited(codes: list[str], system: CodeSystem) -> tuple[dict[str, str], Counter[str]]:
    counts: Counter[str] = Counter()
    assigned = AssignedCodes({"n1": codes}, [])
    (note,) = audit_notes(
        [Note(id="n1", text=TEXT)],
        assigned,
        Coder.lexicon(system),
        Coder.lexicon(system, assertion="off"),
        counts,
    )
    assert all(TEXT[e.start : e.end] == e.text for code in note.codes for e in code.evidence)
    return {code.code: code.flags[0].removeprefix("audit: ") for code in note.codes}, counts


def test_each_code_has_its_finding(system: CodeSystem) -> None:
    found, counts = audited(
        ["I50.9", "E11.9", "J18.9", "I10", "J45.50", "K35.80", "I50", "e119", "X"], system
    )
    assert found == {
        "I50.9": "under-specific, the note supports I50.21",
        "E11.9": "supported",
        "J18.9": "negated",
        "I10": "unsupported",  # With heart failure, it is I11.0 (Official Guidelines, I.C.9.a).
        "J45.50": "over-specific, the note supports J45.909",
        "K35.80": "unsupported",
        "I50": "invalid, the note supports I50.21",
        "X": "invalid",
        "I11.0": "missing",
    }
    assert counts == {
        "under-specific": 1, "over-specific": 1, "supported": 1, "negated": 1, "unsupported": 2,
        "invalid": 2, "missing": 1,
    }  # fmt: skip


def test_missing_codes_have_their_evidence(system: CodeSystem) -> None:
    found, counts = audited(["I50.21"], system)
    assert found["I50.21"] == "supported"
    assert {code for code, finding in found.items() if finding == "missing"} == {
        "E11.9", "I11.0", "J45.909",
    }  # fmt: skip
    assert counts["missing"] == 3


def test_a_code_may_say_more_than_the_note(system: CodeSystem) -> None:
    counts: Counter[str] = Counter()
    (note,) = audit_notes(
        [Note(id="n1", text="Heart failure.")],
        AssignedCodes({"n1": ["I50.21"]}, []),
        Coder.lexicon(system),
        None,
        counts,
    )
    assert note.codes[0].flags == ["audit: over-specific, the note supports I50.9"]
    assert [piece.text for piece in note.codes[0].evidence] == ["Heart failure"]


def test_tables_of_codes(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("hadm_id,icd_code\n1,I10\n1,I10\n1,E119\n2,\n,I10\n3,no code!\n")
    read = AssignedCodes.read(path, None, None)
    assert read.by_note == {"1": ("I10", "E119"), "2": (), "3": ()}
    assert read.unusable == [6, 7]
    path.write_text("note,dx\nn1,I10; E11.9\n")
    assert AssignedCodes.read(path, "note", "dx").by_note == {"n1": ("I10", "E11.9")}
    with pytest.raises(
        DataError, match=r"there is no column note_id\. Name it with --codes-id-column"
    ):
        AssignedCodes.read(path, None, "dx")
