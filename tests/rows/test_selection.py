from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.contract import Grade
from cclearn.rows import (
    Contamination,
    TrainingRow,
    document_row,
    limit_rows,
    repeat_by_grade,
    span_row,
)

GRADES: tuple[Grade, ...] = ("gold", "silver", "synthetic")


def pair(number: int, text: str = "", code: str = "I10", grade: Grade = "gold") -> SpanPair:
    return SpanPair(
        id=f"p{number}", text=text or f"t {number}", code=code, release="r", grade=grade, source="x"
    )


def some(count: int, grade: Grade = "gold") -> list[TrainingRow]:
    return [span_row(pair(n, code=f"I1{n % 3}", grade=grade)) for n in range(count)]


def test_rows_are_repeated_by_the_weight_of_their_grade() -> None:
    rows = some(1_000, "silver")
    assert list(repeat_by_grade(rows, {})) == rows
    assert list(repeat_by_grade(rows, {"silver": 0})) == []
    assert Counter(r.id for r in repeat_by_grade(rows, {"silver": 2})) == {r.id: 2 for r in rows}
    half = {row.id for row in repeat_by_grade(rows, {"silver": 0.5})}
    assert 430 < len(half) < 570
    assert half == {row.id for row in repeat_by_grade(rows, {"silver": 0.5})}
    assert half != {row.id for row in repeat_by_grade(rows, {"silver": 0.5}, seed=1)}
    # A larger share contains all of a smaller one.
    assert half < {row.id for row in repeat_by_grade(rows, {"silver": 0.7})}
    assert len(list(repeat_by_grade(rows, {"silver": 1.5}))) == 1_000 + len(half)
    assert list(repeat_by_grade(rows, {"gold": 0})) == rows


@given(st.integers(0, 60), st.none() | st.integers(1, 20), st.none() | st.integers(1, 5))
def test_limits_are_kept_and_the_order_too(
    count: int, most: int | None, per_code: int | None
) -> None:
    rows = some(count)
    kept = limit_rows(rows, most, per_code)
    indices = [rows.index(row) for row in kept]
    assert indices == sorted(set(indices))
    assert most is None or len(kept) <= most
    codes = Counter(row.code for row in kept)
    assert per_code is None or all(number <= per_code for number in codes.values())
    if most is None:
        wanted = Counter(row.code for row in rows)
        assert codes == {c: min(n, per_code or n) for c, n in wanted.items()}
    # The choice depends on the ids, not on the other rows.
    if per_code is None and most is not None and count:
        assert {r.id for r in limit_rows(rows[::-1], most, None)} == {r.id for r in kept}


def test_a_limit_keeps_the_proportions_of_grades() -> None:
    rows = [span_row(pair(n, grade=grade)) for n in range(4_000) for grade in GRADES]
    rows = [replace(row, id=f"{row.id} {row.grade}") for row in rows]
    weighed_rows = list(repeat_by_grade(rows, {"silver": 0.5, "synthetic": 0.25}))
    counts = Counter(row.grade for row in limit_rows(weighed_rows, 700, None))
    assert counts["gold"] == pytest.approx(400, rel=0.2)
    assert counts["silver"] == pytest.approx(200, rel=0.25)
    assert counts["synthetic"] == pytest.approx(100, rel=0.3)


def test_limits_per_code_do_not_affect_notes() -> None:
    notes = [document_row(CodedNote(id=f"n{n}", text=f"note {n}")) for n in range(5)]
    assert limit_rows(notes, None, 1) == notes


WORDS = "Admitted with acute heart failure after three days of cough and fever at home with wife"


def test_texts_of_the_evaluation_are_recognised() -> None:
    long = WORDS + " who found him lying on the floor of the kitchen in the early morning hours"
    notes = [CodedNote(id="a", text=long), CodedNote(id="b", text="Acute  MI")]
    contamination = Contamination(notes, [pair(0, "Heart  Attack")])

    def is_contaminated(text: str) -> bool:
        return contamination.contains(document_row(CodedNote(id="x", text=text)))

    assert is_contaminated(long)
    assert is_contaminated(long.upper().replace(" ", "\n"))
    assert is_contaminated("Note 12. " + long + " Signed.")
    assert is_contaminated(long.rsplit(" ", 2)[0])
    assert is_contaminated(WORDS)  # A part of it.
    assert is_contaminated("acute mi")
    assert not is_contaminated("acute mi again")
    assert not is_contaminated(" ".join(reversed(long.split())))
    assert not is_contaminated(WORDS[:60] + " " + " ".join(f"other{n}" for n in range(20)))
    assert contamination.contains(span_row(pair(1, "heart attack")))
    # The name of a code may be trained on, even if an evaluation note contains it.
    assert not contamination.contains(span_row(pair(1, "acute heart failure")))
    assert not Contamination().contains(document_row(notes[0]))
