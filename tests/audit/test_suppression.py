from __future__ import annotations

from pathlib import Path

from cclearn.audit.settings import AuditSettings
from cclearn.audit.suppression import count_chapters, suppressed
from cclearn.codes import CodeSystem
from tests.audit.corpora import note, note_set


def test_small_counts_are_hidden() -> None:
    assert suppressed({"a": 10, "b": 3, "c": 11, "d": 0, "e": 40}, 11) == {
        "a": None,
        "b": None,
        "c": 11,
        "d": 0,
        "e": 40,
    }


def test_a_single_small_count_cannot_be_computed() -> None:
    assert suppressed({"a": 5, "b": 40, "c": 12}, 11) == {"a": None, "b": 40, "c": None}
    assert suppressed({"a": 5}, 11) == {"a": None}
    assert suppressed({"a": 5, "b": 0}, 11) == {"a": None, "b": 0}
    assert suppressed({}, 11) == {}


def test_notes_are_counted_once_for_a_chapter(tmp_path: Path, system: CodeSystem) -> None:
    text = "Asthma, pneumonia, hypertension."
    lungs = [("J45.909", "Asthma"), ("J18.9", "pneumonia")]
    rows = [note(f"n{n}", text, *lungs) for n in range(20)]
    rows += [note("other", text, ("I10", "hypertension")), note("odd", text, ("QQ1", ""))]
    notes = note_set(tmp_path / "a.jsonl", rows, system)
    table = {
        row.chapter: (row.notes, row.reference)
        for row in count_chapters(notes, None, AuditSettings())
    }
    assert table == {"9": (None, None), "10": (20, None), "": (None, None)}
    shown = count_chapters(notes, notes, AuditSettings(smallest_cell=1))
    assert [(row.chapter, row.notes, row.reference) for row in shown] == [
        ("9", 1, 1),
        ("10", 20, 20),
        ("", 1, 1),
    ]
    assert shown[0].title == "Diseases of the circulatory system"
