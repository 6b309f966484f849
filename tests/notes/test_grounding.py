from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.grounding import MAXIMUM_OCCURRENCES, as_quote, ground

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
def test_a_span_always_contains_the_words_of_its_quote(text: str, quotes: list[str]) -> None:
    for quote, span in zip(quotes, ground(text, quotes), strict=True):
        if span is not None:
            assert 0 <= span[0] < span[1] <= len(text)
            found = text[span[0] : span[1]].split()
            assert [w.casefold() for w in found] == [w.casefold() for w in quote.split()]


decisive = st.sampled_from("5 6 55 % no not No left LEFT right denies pain ½ , -".split())


@given(st.lists(decisive, max_size=14), st.data())
def test_numbers_negators_and_sides_are_those_of_the_quote(
    words: list[str], data: st.DataObject
) -> None:
    def blanks() -> str:
        return data.draw(st.sampled_from([" ", "\n", "\t ", "\u00a0"]))

    text = "".join(word + blanks() for word in words)
    quotes = data.draw(st.lists(st.lists(decisive, min_size=1, max_size=4), max_size=4))
    spans = ground(text, [" ".join(quote) for quote in quotes])
    lowered = [word.lower() for word in words]
    for quote, span in zip(quotes, spans, strict=True):
        wanted = [word.lower() for word in quote]
        if span is None:
            # It is reported as missing only if it is missing.
            runs = [lowered[n : n + len(wanted)] for n in range(len(words))]
            assert wanted not in runs
        else:
            assert text[slice(*span)].lower().split() == wanted


def test_the_work_on_a_note_is_bounded() -> None:
    ranked = 0

    def prefer(start: int, end: int) -> bool:
        nonlocal ranked
        ranked += 1
        return False

    text = "pain " * 20_000
    spans = ground(text, ["pain"] * 3, prefer)
    assert spans == [(0, 4), (5, 9), (10, 14)]
    assert ranked <= 3 * (MAXIMUM_OCCURRENCES + 1)
    # Each would take minutes if the work grew with the note times the quote.
    assert ground(text, ["pain " * 10_000 + "x"]) == [None]
    assert ground("\n" * 200_000 + "pain", ["pain pain", "PAIN"]) == [None, (200_000, 200_004)]
    many = [f"pain {number}" for number in range(1_000)]
    assert ground(text + "pain 7", many).count(None) == 999


def test_repeated_mentions_are_taken_in_order() -> None:
    text = "fever, cough, fever and fever"
    assert ground(text, ["fever", "cough", "fever", "fever"]) == [
        (0, 5),
        (7, 12),
        (14, 19),
        (24, 29),
    ]
    # More often than in the note: the last occurrence again.
    assert ground("fever once", ["fever", "fever"]) == [(0, 5), (0, 5)]
    # Listed out of order: all are still found.
    assert ground(text, ["cough", "fever", "fever", "fever"]) == [
        (7, 12),
        (14, 19),
        (24, 29),
        (0, 5),
    ]


def test_the_next_occurrence_after_the_last_quote_is_chosen() -> None:
    text = "No sepsis. Fever. Later sepsis."
    assert ground(text, ["Fever", "sepsis"]) == [(11, 16), (24, 30)]
    assert ground(text, ["sepsis"]) == [(3, 9)]
    assert ground(text, ["sepsis"], prefer=lambda start, _: start > 10) == [(24, 30)]
    assert ground("No sepsis.", ["sepsis"], prefer=lambda *_: False) == [(3, 9)]


def test_complete_words_precede_parts_of_words() -> None:
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
