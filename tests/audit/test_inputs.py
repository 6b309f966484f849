from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.audit.inputs import NoteSet, Size, sample_notes
from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import CodedNote
from tests.audit.corpora import note_set


def test_a_folder_of_a_builder_is_read(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "built").mkdir()
    note_set(tmp_path / "built" / "notes.jsonl", ["One two.", "Three."], system)
    notes = NoteSet.find(tmp_path / "built", system)
    assert notes.path.name == "notes.jsonl"
    ids: list[str] = []
    assert list(notes.texts("", ids)) == ["One two.", "Three."]
    assert ids == ["notes-0", "notes-1"]
    assert Size.of(notes, "") == Size(2, 3)
    with pytest.raises(DataError, match=r"contains no notes\.jsonl"):
        NoteSet.find(tmp_path, system)
    with pytest.raises(DataError, match="no such file or folder"):
        NoteSet.find(tmp_path / "missing", system)


def test_progress_sees_every_note(tmp_path: Path, system: CodeSystem) -> None:
    path = note_set(tmp_path / "n.jsonl", ["a", "b"], system).path
    titles = []

    def progress(notes, title):  # type: ignore[no-untyped-def]
        titles.append(title)
        return notes

    assert len(list(NoteSet.find(path, system, progress).read("reading"))) == 2
    assert titles == ["reading"]


def test_a_sample_is_random_in_order_and_repeatable() -> None:
    notes = [CodedNote(id=str(number), text="") for number in range(500)]
    sample = [int(note.id) for note in sample_notes(iter(notes), 50, 1)]
    assert sample == sorted(sample)
    assert len(set(sample)) == 50
    assert max(sample) > 250
    assert sample == [int(note.id) for note in sample_notes(iter(notes), 50, 1)]
    assert sample != [int(note.id) for note in sample_notes(iter(notes), 50, 2)]
    assert sample_notes(notes, 1_000, 0) == notes
