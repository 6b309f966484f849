from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.rows import document_row, encode_rows
from cclearn.rows.windows import note_windows
from cclearn.training.scratch import make_tokenizer
from tests.models import rows as some_rows


def note_of(text: str, cited: list[tuple[int, int]]) -> CodedNote:
    evidence = [Evidence(start=a, end=b, text=text[a:b]) for a, b in cited]
    codes = [AssignedCode(code="I10", evidence=evidence)] if evidence else []
    return CodedNote(id="n", text=text, codes=codes)


@given(
    text=st.text(st.sampled_from("ab .\n\u00e9"), min_size=1, max_size=120),
    starts=st.lists(st.tuples(st.integers(0, 119), st.integers(1, 12)), max_size=4),
    room=st.integers(1, 40),
)
def test_windows_keep_evidence_whole_and_cover_the_note(
    text: str, starts: list[tuple[int, int]], room: int
) -> None:
    cited = [(a, min(a + n, len(text))) for a, n in starts if a < len(text)]
    note = note_of(text, sorted(set(cited)))
    try:
        parts = list(note_windows(note, lambda part: len(part.text) <= room))
    except ValueError:
        # Only what cannot be parted is refused: a word with its blanks, or overlapping evidence.
        pieces = max(len(word) for word in text.split(" ")) if text.strip() else len(text)
        assert cited or pieces > 0
        return
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= room for part in parts)
    assert len({part.id for part in parts}) == len(parts)
    found = []
    start = 0
    for part in parts:
        for code in part.codes:
            for e in code.evidence:
                assert part.text[e.start : e.end] == e.text
                found.append((start + e.start, start + e.end))
        start += len(part.text)
    assert sorted(found) == sorted(set(cited))


def test_windows_end_after_paragraphs_and_sentences() -> None:
    text = "First line.\nSecond one. And more.\n\nNext paragraph here, with words"
    parts = [part.text for part in note_windows(note_of(text, []), lambda p: len(p.text) <= 40)]
    assert parts == [
        "First line.\nSecond one. And more.\n\n",
        "Next paragraph here, with words",
    ]
    parts = [part.text for part in note_windows(note_of(text, []), lambda p: len(p.text) <= 26)]
    assert parts[0] == "First line.\nSecond one. "
    assert "".join(parts) == text
    with pytest.raises(ValueError, match="n: characters 0 to"):
        list(note_windows(note_of("x" * 50, []), lambda p: len(p.text) <= 26))


def test_a_long_note_is_trained_on_in_windows() -> None:
    tokenizer = make_tokenizer(some_rows(), 500)
    text = "Heart attack. " * 40
    cited = [(14 * n, 14 * n + 12) for n in range(40)]
    row = document_row(note_of(text, cited))
    whole, _ = encode_rows([row], tokenizer, 10_000)
    half = len(whole[0].input_ids) // 2
    with pytest.raises(ConfigurationError, match=r"or window"):
        encode_rows([row], tokenizer, half)
    encoded, reports = encode_rows([row], tokenizer, half, "window")
    assert len(encoded) > 1
    assert all(len(part.input_ids) <= half for part in encoded)
    assert reports["document", None].windowed == ["n"]
    answers = [
        tokenizer.decode([t for t, on in zip(p.input_ids, p.completion_mask, strict=True) if on])
        for p in encoded
    ]
    assert sum(answer.count("- Heart attack => I10") for answer in answers) == 40
    with pytest.raises(ConfigurationError, match="spans, words or pieces of evidence are longer"):
        encode_rows([document_row(note_of(text, [(0, len(text) - 1)]))], tokenizer, half, "window")


def test_windows_have_no_rejected_codes() -> None:
    text = "asthma. cough."
    rejected = AssignedCode(code="R05.9", evidence=[Evidence(start=8, end=13, text="cough")])
    note = note_of(text, [(0, 6)]).model_copy(update={"rejected": [rejected]})
    parts = list(note_windows(note, lambda part: len(part.text) <= 8))
    assert len(parts) == 2
    assert [part.rejected for part in parts] == [[], []]
