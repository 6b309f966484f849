from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.sections import Unit
from cclearn.notes.segments import find_segments
from cclearn.rows import document_row, note_segments, segment_rows
from tests.rows.test_windows import note_of

TEXT = "Mother well. No fever.\nFINDINGS: acute heart failure. Oedema of\nboth legs.\nPLAN: rest."


@given(
    text=st.text(st.sampled_from("ab A:.\r\n🚑é"), min_size=1, max_size=80),
    starts=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 30)), max_size=4),
    unit=st.sampled_from(["sentence", "section"]),
)
def test_segments_keep_every_evidence_whole(
    text: str, starts: list[tuple[int, int]], unit: Unit
) -> None:
    possible = {(a, min(a + n, len(text))) for a, n in starts if a < len(text)}
    # A segment of white space alone could not be told from the white space between segments.
    cited = sorted((a, b) for a, b in possible if text[a:b].strip())
    parts = list(note_segments(note_of(text, cited), unit))
    assert all(part.text.strip() or part.codes for part in parts)
    assert [part.id for part in parts] == [f"n#{number + 1}" for number in range(len(parts))]
    found = []
    start = 0
    for part in parts:
        # Only white space separates it from the segment before.
        before, start = start, text.index(part.text, start)
        assert not text[before:start].strip()
        for code in part.codes:
            for e in code.evidence:
                assert part.text[e.start : e.end] == e.text
                found.append((start + e.start, start + e.end))
        start += len(part.text)
    assert not text[start:].strip()
    assert sorted(found) == cited
    if not cited:
        spans = find_segments(text, unit)
        assert [part.text for part in parts] == [text[a:b] for a, b in spans]


def test_a_note_is_split_at_its_sentences_or_sections() -> None:
    whole = note_of(TEXT, [])
    assert [part.text for part in note_segments(whole, "section")] == [
        "Mother well. No fever.\n",
        "FINDINGS: acute heart failure. Oedema of\nboth legs.\n",
        "PLAN: rest.",
    ]
    assert [part.text for part in note_segments(whole, "sentence")] == [
        "Mother well. ",
        "No fever.\n",
        "FINDINGS: acute heart failure. ",
        "Oedema of\nboth legs.\n",
        "PLAN: rest.",
    ]
    # No sentence extends across a header, and none is blank.
    lines = note_of("\n\n Seen\nPLAN:\nhome", [])
    assert [part.text for part in note_segments(lines, "sentence")] == ["Seen\n", "PLAN:\nhome"]
    start = TEXT.index("failure")
    parts = list(note_segments(note_of(TEXT, [(start, TEXT.index(" of\n"))]), "sentence"))
    assert "FINDINGS: acute heart failure. Oedema of\nboth legs.\n" in [part.text for part in parts]
    assert list(note_segments(note_of(" \n", []), "sentence")) == []


def test_the_answer_to_a_segment_without_evidence_is_none() -> None:
    start = TEXT.index("acute")
    row = document_row(note_of(TEXT, [(start, start + len("acute heart failure"))]), "icd9cm")
    rows = list(segment_rows(row, "sentence"))
    answers = ["none", "none", "- acute heart failure => I10", "none", "none"]
    assert [segment_row.completion for segment_row in rows] == answers
    assert all("ICD-9-CM" in segment_row.prompt[0]["content"] for segment_row in rows)
    assert rows[2].prompt[0]["content"].endswith("\n\nFINDINGS: acute heart failure. ")
    (only,) = segment_rows(row, "sentence", empty=0)
    assert only == rows[2]
    with pytest.raises(ValueError, match="n: a span has no segments"):
        list(segment_rows(replace(row, note=None), "sentence"))


def test_the_share_of_empty_segments_follows_from_ids_and_seed() -> None:
    row = document_row(note_of("Well. " * 2_000, []))

    def kept(share: float, seed: int = 0) -> set[str]:
        return {part.id for part in segment_rows(row, "sentence", share, seed)}

    assert len(kept(1)) == 2_000
    assert 400 < len(kept(0.25)) < 600
    assert kept(0.25) == kept(0.25) < kept(0.5)
    assert kept(0.25) != kept(0.25, seed=1)
