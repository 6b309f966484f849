from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.grounding import as_quote, ground

alphabet = st.sampled_from(
    ["a", "b", "B", " ", "\n", "\r\n", "\u00a0", "İ", "e\u0301", "👩‍⚕️", "ß", "5"]
)
awkward = st.lists(alphabet, max_size=30).map("".join)


@given(awkward, st.data())
def test_any_quote_of_a_note_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quote = text[start:end]
    (span,) = ground(text, [quote])
    if not quote.strip():
        assert span is None
    else:
        assert span is not None
        found = text[span[0] : span[1]]
        assert as_quote(found) == as_quote(quote)


@given(awkward, st.lists(awkward, max_size=5))
def test_a_span_always_holds_the_words_of_its_quote(text: str, quotes: list[str]) -> None:
    for quote, span in zip(quotes, ground(text, quotes), strict=True):
        if span is not None:
            assert 0 <= span[0] < span[1] <= len(text)
            found = text[span[0] : span[1]].split()
            assert [w.casefold() for w in found] == [w.casefold() for w in quote.split()]


def test_repeated_mentions_are_taken_in_order() -> None:
    text = "fever, cough, fever and fever"
    assert ground(text, ["fever", "cough", "fever", "fever"]) == [
        (0, 5),
        (7, 12),
        (14, 19),
        (24, 29),
    ]
    # More often than the note says it: nothing new.
    assert ground("fever once", ["fever", "fever"]) == [(0, 5), (0, 5)]
    # Listed out of order: each is still found.
    assert ground(text, ["cough", "fever", "fever", "fever"]) == [
        (7, 12),
        (14, 19),
        (24, 29),
        (0, 5),
    ]


def test_the_occurrence_behind_the_last_quote_is_meant() -> None:
    text = "No sepsis. Fever. Later sepsis."
    assert ground(text, ["Fever", "sepsis"]) == [(11, 16), (24, 30)]
    assert ground(text, ["sepsis"]) == [(3, 9)]
    assert ground(text, ["sepsis"], prefer=lambda start, _: start > 10) == [(24, 30)]
    assert ground("No sepsis.", ["sepsis"], prefer=lambda *_: False) == [(3, 9)]


def test_whole_words_go_before_parts() -> None:
    assert ground("prediabetes, diabetes", ["diabetes"]) == [(13, 21)]
    assert ground("prediabetes", ["diabetes"]) == [(3, 11)]


@pytest.mark.parametrize(
    ("text", "quote", "expected"),
    [
        ("heart\r\n  failure", "heart failure", (0, 16)),
        ("Heart Failure", "heart failure", (0, 13)),
        ("heart\u00a0failure", "heart failure", (0, 13)),
        ("ejection fraction 5 %", "ejection fraction 6 %", None),
        ("ejection fraction 55", "ejection fraction 5", (0, 19)),
        ("no fever", "fever no", None),
        ("left leg", "right leg", None),
        ("", "x", None),
        ("x", "", None),
    ],
)
def test_white_space_and_case_are_all_that_may_differ(
    text: str, quote: str, expected: tuple[int, int] | None
) -> None:
    assert ground(text, [quote]) == [expected]
