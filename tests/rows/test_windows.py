from __future__ import annotations

import re

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
        parts, left_out = note_windows(note, lambda part: len(part.text) <= room)
    except ValueError:
        # Only what cannot be parted is refused: a word with the blanks and the evidence around it.
        assert cited or max(map(len, re.findall(r"\S*\s*", text))) > room
        return
    # Evidence is left out if it is too long, or overlaps evidence that makes it too long.
    assert all(end - start > room and (cited_in(cited, start, end)) for start, end in left_out)
    gaps = {start: text[start:end] for start, end in left_out}
    rebuilt = ""
    starts = []
    for part in (*parts, None):
        while len(rebuilt) in gaps:
            rebuilt += gaps.pop(len(rebuilt))
        if part is not None:
            starts.append(len(rebuilt))
            rebuilt += part.text
    assert rebuilt == text
    assert all(len(part.text) <= room for part in parts)
    assert len({part.id for part in parts}) == len(parts)
    found = []
    for start, part in zip(starts, parts, strict=True):
        for code in part.codes:
            for e in code.evidence:
                assert part.text[e.start : e.end] == e.text
                found.append((start + e.start, start + e.end))
    assert len(found) == len(set(found))
    lost = [span for first, last in left_out for span in cited_in(cited, first, last)]
    assert sorted({*found, *lost}) == sorted(set(cited))
    assert not {*found} & {*lost}


def cited_in(cited: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    return [span for span in cited if start <= span[0] and span[1] <= end]


def test_evidence_that_fits_into_no_window_is_left_out_with_its_words() -> None:
    text = "Fever. " + "very " * 10 + "long pain. Cough."
    long = (7, 7 + 10 * 5 + 9)
    note = note_of(text, [(0, 5), long, (20, 24), (len(text) - 6, len(text) - 1)])
    windows, left_out = note_windows(note, lambda part: len(part.text) <= 30)
    assert left_out == [long]
    assert [window.text for window in windows] == ["Fever. ", ". Cough."]
    cited = [e.text for window in windows for code in window.codes for e in code.evidence]
    assert cited == ["Fever", "Cough"]


def test_windows_end_after_paragraphs_and_sentences() -> None:
    text = "First line.\nSecond one. And more.\n\nNext paragraph here, with words"
    parts = [part.text for part in note_windows(note_of(text, []), lambda p: len(p.text) <= 40)[0]]
    assert parts == [
        "First line.\nSecond one. And more.\n\n",
        "Next paragraph here, with words",
    ]
    parts = [part.text for part in note_windows(note_of(text, []), lambda p: len(p.text) <= 26)[0]]
    assert parts[0] == "First line.\nSecond one. "
    assert "".join(parts) == text
    with pytest.raises(ValueError, match="n: characters 0 to"):
        note_windows(note_of("x" * 50, []), lambda p: len(p.text) <= 26)


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
    # What fits into no window is left out and counted.
    long = document_row(note_of(text, [(0, len(text) - 20)]))
    encoded, reports = encode_rows([long], tokenizer, half, "window")
    assert reports["document", None].omitted == [f"n@0:{len(text) - 20}"]
    assert reports["document", None].rows == len(encoded) == 1
    word = document_row(note_of("x" * 3_000, []))
    assert encode_rows([word], tokenizer, 200, "window")[1]["document", None].dropped == ["n"]


def test_windows_have_no_rejected_codes() -> None:
    text = "asthma. cough."
    rejected = AssignedCode(code="R05.9", evidence=[Evidence(start=8, end=13, text="cough")])
    note = note_of(text, [(0, 6)]).model_copy(update={"rejected": [rejected]})
    parts, _ = note_windows(note, lambda part: len(part.text) <= 8)
    assert len(parts) == 2
    assert [part.rejected for part in parts] == [[], []]
