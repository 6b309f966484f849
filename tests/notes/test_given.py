from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets
import pandas as pd
import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote, Note
from cclearn.notes.columns import NoteColumns
from cclearn.notes.given import as_notes

ROWS = [{"id": 7, "text": "Asthma."}, {"id": "b", "text": None}]


def pairs(notes: Any, columns: NoteColumns | None = None) -> list[tuple[str, str]]:
    return [(note.id, note.text) for note in as_notes(notes, columns)]


class PolarsTable:
    """What `as_notes` needs of a table of polars."""

    columns = ("id", "text")

    def iter_rows(self, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter(ROWS)


def test_every_kind_of_notes_is_read() -> None:
    expected = [("7", "Asthma."), ("b", "")]
    coded = CodedNote(id="7", text="Asthma.", codes=[AssignedCode(code="J45.909")])
    for given in (
        ROWS,
        iter(ROWS),
        [coded, Note(id="b", text="")],
        pd.DataFrame(ROWS),
        datasets.Dataset.from_list([{"id": "7", "text": "Asthma."}, ROWS[1]]),
        PolarsTable(),
    ):
        assert pairs(given) == expected
    assert type(next(as_notes([coded]))) is Note


def test_texts_are_numbered_or_labelled() -> None:
    texts = ["Asthma.", "Cough.", None]
    numbered = [("1", "Asthma."), ("2", "Cough."), ("3", "")]
    assert pairs(texts) == pairs(tuple(texts)) == pairs(iter(texts)) == numbered
    assert pairs(datasets.Dataset.from_dict({"x": texts})["x"]) == numbered
    series = pd.Series(texts, index=[10, 11, 12])
    assert pairs(series) == [("10", "Asthma."), ("11", "Cough."), ("12", "")]
    assert pairs(series.astype("string"))[2] == ("12", "")
    frame = pd.DataFrame({"note": texts}, index=["x", "y", "z"])
    assert pairs(frame, NoteColumns("note"))[:2] == [("x", "Asthma."), ("y", "Cough.")]


@pytest.mark.parametrize("single", ["Asthma.", b"Asthma.", Note(id="a", text="x"), {"id": "a"}])
def test_a_single_note_is_refused(single: Any) -> None:
    with pytest.raises(TypeError, match=r"expected several notes\. Use `code` for one"):
        as_notes(single)


def test_other_items_are_refused_without_their_content() -> None:
    secret = "the words of a note"
    with pytest.raises(TypeError, match="item 2"):
        list(as_notes(["x", [secret]]))
    with pytest.raises(
        DataError, match=r"notes:1: text: missing\. The fields are id, txt"
    ) as error:
        list(as_notes([{"id": "a", "txt": secret}]))
    assert secret not in str(error.value)


def test_notes_are_read_one_by_one(system: CodeSystem) -> None:
    asked: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(3):
            asked.append(number)
            yield "Asthma."

    coded = Coder.lexicon(system).code_many(texts())
    assert asked == []
    assert [assigned.code for assigned in next(coded).codes] == ["J45.909"]
    assert asked == [0]
