from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.segments import find_segments

NOTE = (
    "Chief complaint: Chest pain. Fever since 2.5 days.\n\n"
    "Family history:\nFather with stroke.\n\n \n"
    "PLAN\n- Rest.\n- Aspirin.\n"
)
texts = st.text(st.sampled_from("aB .\n:é👩"), max_size=200) | st.text(max_size=80)


def cut(segmentation: str) -> list[str]:
    found = find_segments(NOTE, segmentation)  # type: ignore[arg-type]
    return [NOTE[start:end] for start, end in found]


def test_sections() -> None:
    assert [part.split(":")[0].split("\n")[0] for part in cut("section")] == [
        "Chief complaint",
        "Family history",
        "PLAN",
    ]


def test_sentences_stop_at_headers() -> None:
    assert [" ".join(part.split()) for part in cut("sentence")] == [
        "Chief complaint: Chest pain.",
        "Fever since 2.5 days.",
        "Family history:",
        "Father with stroke.",
        "PLAN",
        "- Rest.",
        "- Aspirin.",
    ]


@given(texts, st.integers(1, 40))
def test_nothing_but_white_space_is_left_out(text: str, window: int) -> None:
    for segmentation in ("section", "sentence", "window"):
        spans = find_segments(text, segmentation, window)  # type: ignore[arg-type]
        covered = {offset for start, end in spans for offset in range(start, end)}
        left = [text[offset] for offset in range(len(text)) if offset not in covered]
        assert all(character.isspace() for character in left)
        assert all(text[start:end].strip() for start, end in spans)
        # The overlap may contain all of a short window, so that two windows begin together.
        assert all(first <= second for (first, _), (second, _) in pairwise(spans))
        assert all(end < last for (_, end), (_, last) in pairwise(spans))
        if segmentation != "window":
            assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_windows_are_short_and_cut_no_word() -> None:
    text = "one two three four five six seven eight nine ten " * 4
    spans = find_segments(text, "window", 40)
    assert all(end - start <= 40 for start, end in spans)
    words = {word for start, end in spans for word in text[start:end].split()}
    assert words == set(text.split())
