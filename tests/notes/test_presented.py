from __future__ import annotations

import pandas as pd

from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.evidence_rows import COLUMNS
from tests.outputs.notes import EMPTY, FULL


def test_codes_are_rows_of_a_data_frame() -> None:
    frame = FULL.to_pandas()
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame["note_id"]) == {FULL.id}
    cited = frame[frame["start"].notna()]
    assert [
        FULL.text[start:end] for start, end in zip(cited["start"], cited["end"], strict=True)
    ] == list(cited["quote"])
    assert frame["score"].dtype == "Float64"
    assert frame.loc[frame["code"] == "R52", "score"].isna().all()
    # A note without codes has a row, so that its flags are not lost.
    assert len(pd.concat([FULL.to_pandas(), EMPTY.to_pandas()])) == len(frame) + 1
    kept = FULL.model_copy(update={"metadata": {"ward": "A", "code": 7}}).to_pandas()
    assert list(kept.columns[-2:]) == ["ward", "metadata.code"]
    assert set(kept["ward"]) == {"A"}


def test_a_notebook_shows_the_note_with_its_evidence() -> None:
    shown = FULL._repr_html_()
    assert "<mark" in shown
    assert "Old myocardial infarction" in shown
    note = CodedNote(id="<i>", text="<b>x</b>", codes=[AssignedCode(code="I10", description="<s>")])
    escaped = note._repr_html_()
    assert not any(tag in escaped for tag in ("<i>", "<b>x", "<s>"))
    assert "<p>no codes</p>" in EMPTY._repr_html_()
