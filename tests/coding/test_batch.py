from __future__ import annotations

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.batch import code_batch
from cclearn.notes import CodedNote, Note
from tests.bulk.corpora import CallbackCoder


def test_notes_are_coded_together_and_after_an_error_alone(system: CodeSystem) -> None:
    coded_ids: list[str] = []

    def record(note: Note) -> list[str]:
        coded_ids.append(note.id)
        if note.id in "bd":
            raise ValueError("its text")
        return []

    notes = [Note(id=identifier, text="x") for identifier in "abcde"]
    coded = list(code_batch(CallbackCoder(system, record), notes))
    assert [item.id if isinstance(item, CodedNote) else type(item) for item in coded] == [
        "a",
        ValueError,
        "c",
        ValueError,
        "e",
    ]
    assert "".join(coded_ids) == "ab" + "bcde"  # Coded notes are not coded again.


def test_without_an_error_the_coder_codes_the_batch_once(system: CodeSystem) -> None:
    coder = Coder.lexicon(system)
    notes = [Note(id=identifier, text="Pneumonia.") for identifier in "ab"]
    assert list(code_batch(coder, notes)) == list(coder.code_many(notes))
