from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.windows import (
    TooLongError,
    overlapping_halves,
    overlapping_windows,
    split_text,
)


def split(text: str, longest: int, whole: list[tuple[int, int]] | None = None) -> list[str]:
    spans = split_text(text, lambda start, end: end - start <= longest, whole or ())
    return [text[start:end] for start, end in spans]


def test_windows_end_after_paragraphs_lines_and_sentences() -> None:
    text = "First line.\nSecond one. And more.\n\nNext paragraph here, with words"
    assert split(text, 40) == [
        "First line.\nSecond one. And more.\n\n",
        "Next paragraph here, with words",
    ]
    parts = split(text, 26)
    assert parts[0] == "First line.\nSecond one. "
    assert "".join(parts) == text


def test_windows_keep_spans_whole() -> None:
    text = "acute heart failure with oedema"
    assert split(text, 16) == ["acute heart ", "failure with ", "oedema"]
    assert split(text, 16, [(6, 19)]) == ["acute ", "heart failure ", "with oedema"]
    with pytest.raises(TooLongError, match="characters 6 to 20 do not fit"):
        split(text, 12, [(6, 19)])


def test_a_word_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLongError, match="characters 0 to 50 do not fit"):
        split("x" * 50, 26)
    assert overlapping_windows("x" * 50, lambda part: len(part) <= 26) == [(0, 50)]


@given(text=st.text(st.sampled_from("ab .\n\u00e9"), max_size=400), most=st.integers(1, 120))
def test_overlapping_windows_cover_the_text_and_fit(text: str, most: int) -> None:
    spans = overlapping_windows(text, lambda part: len(part) <= most)
    if len(spans) == 1 and spans[0] in [(0, 0), (0, len(text))]:
        return
    for (_, end), (_, last) in pairwise(spans):
        assert end < last
    covered = {offset for start, end in spans for offset in range(start, end)}
    assert all(
        offset in covered for offset, character in enumerate(text) if not character.isspace()
    )
    assert all(end - start <= most for start, end in spans)


def test_halves_overlap_and_short_spans_are_kept() -> None:
    text = "one two three four " * 30
    first, second = overlapping_halves(text, (0, len(text)))
    assert first[0] == 0
    assert second[0] < first[1] < second[1] == len(text)
    assert overlapping_halves(text, (0, 300)) == [(0, 300)]
