from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.assertion import AssertionRules
from cclearn.notes.sections import find_sections, find_sentences

pieces = st.sampled_from(
    ["Fever", "no", ".", ";", "\n", "\r\n", " ", "\t", "- ", "2", "Plan:", "é"]
)


@given(st.lists(pieces, max_size=30).map("".join))
def test_sentences_and_sections_cover_a_note(text: str) -> None:
    assert "".join(text[start:end] for start, end in find_sentences(text)) == text
    sections = find_sections(text)
    assert "".join(text[section.start : section.end] for section in sections) == text
    rules = AssertionRules(text)
    for offset in range(len(text)):
        section = rules.section_at(offset)
        assert section.start <= offset < section.end


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("No fever. Cough.", ["No fever. ", "Cough."]),
        ("Weight 2.5 kg", ["Weight 2.5 kg"]),
        ("no evidence of\npneumonia", ["no evidence of\npneumonia"]),
        ("no evidence of\r\npneumonia", ["no evidence of\r\npneumonia"]),
        ("asthma\n- copd\r\n2 falls", ["asthma\n", "- copd\r\n", "2 falls"]),
        ("# stroke, no deficit\n# asthma", ["# stroke, no deficit\n", "# asthma"]),
        ("no fever\n\ncough", ["no fever\n\n", "cough"]),
        ("no fever\r\n \t\r\n\r\ncough", ["no fever\r\n \t\r\n\r\n", "cough"]),
    ],
)
def test_a_sentence_ends_at_its_mark_an_item_or_an_empty_line(
    text: str, sentences: list[str]
) -> None:
    assert [text[start:end] for start, end in find_sentences(text)] == sentences


def test_no_sentence_is_longer_than_a_thousand_characters() -> None:
    for text in ("asthma and " * 5_000, "x" * 5_000, "\n" * 200_000 + "x", "A" + " \n" * 100_000):
        spans = find_sentences(text)
        assert max(end - start for start, end in spans) <= 1_000
        assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    # They are cut at a blank where there is one.
    assert {end % 11 for _, end in find_sentences("asthma and " * 5_000)} <= {0, 7}
