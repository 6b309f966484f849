from __future__ import annotations

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.batch import code_batch
from cclearn.notes import CodedNote, Note
from tests.bulk.corpora import CallbackCoder


def test_notes_are_coded_together_and_after_an_error_alone(system: CodeSystem) -> None:
    asked: list[str] = []

    def what(note: Note) -> list[str]:
        asked.append(note.id)
        if note.id in "bd":
            raise ValueError("its text")
        return []

    notes = [Note(id=each, text="x") for each in "abcde"]
    coded = list(code_batch(CallbackCoder(system, what), notes))
    assert [each.id if isinstance(each, CodedNote) else type(each) for each in coded] == [
        "a",
        ValueError,
        "c",
        ValueError,
        "e",
    ]
    assert "".join(asked) == "ab" + "bcde"  # What was coded is not coded again.


def test_without_an_error_it_is_the_coder(system: CodeSystem) -> None:
    coder = Coder.lexicon(system)
    notes = [Note(id=each, text="Pneumonia.") for each in "ab"]
    assert list(code_batch(coder, notes)) == list(coder.code_many(notes))
