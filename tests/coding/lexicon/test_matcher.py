from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.coding.lexicon.matcher import PhraseMatcher

PHRASES = {
    "pain": "P",
    "abdomen pain": "AP",
    "neoplasm of kidney": "NK",
    "malignant neoplasm of kidney": "MNK",
    "neoplasm": "N",
    "acute kidney failure": "AKF",
    "diabetes type 2": "D2",
    "heart asthma": "HA",
    "heart failure": "HF",
}


def found(text: str) -> list[str]:
    matches = PhraseMatcher(PHRASES).find([(word,) for word in text.split()]).matches
    return [f"{m.code} {m.first}-{m.last}" for m in sorted(matches)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pain abdomen", ["P 0-0"]),
        ("pain , abdomen", ["AP 0-2"]),
        ("abdomen right pain", ["AP 0-2"]),
        ("abdomen big pain", ["P 2-2"]),
        ("pain right abdomen", ["P 0-0"]),
        ("pain history abdomen", ["P 0-0"]),
        ("kidney malignant big neoplasm", ["MNK 0-3"]),
        ("kidney malignant very big neoplasm", ["N 4-4"]),
        ("abdomen without pain", ["P 2-2"]),
        ("kidney neoplasm", ["NK 0-1"]),
        ("kidney malignant neoplasm", ["MNK 0-2"]),
        ("kidney secondary neoplasm", ["N 2-2"]),
        ("acute failure kidney", ["AKF 0-2"]),
        ("type 2 diabetes", ["D2 0-2"]),
        ("diabetes , type 2", ["D2 0-3"]),
        ("diabetes known type 2", []),
        ("asthma heart failure", ["HF 1-2"]),
        ("pain abdomen pain", ["AP 1-2", "P 0-0"]),
    ],
)
def test_words_of_a_phrase(text: str, expected: list[str]) -> None:
    assert sorted(found(text)) == expected


def test_two_words_are_reordered_around_an_ignored_word() -> None:
    # "Pain of the abdomen": the words between the two are ignored.
    matches = PhraseMatcher(PHRASES).find([("pain",), (), (), ("abdomen",)]).matches
    assert [(m.first, m.last, m.code) for m in matches] == [(0, 3, "AP")]


def test_no_phrase_splits_a_token() -> None:
    # The token "cancer" has two words.
    tokens = [("kidney",), ("malignant", "neoplasm"), ("neoplasm",)]
    matches = PhraseMatcher(PHRASES).find(tokens).matches
    assert sorted(m.code for m in matches) == ["MNK", "N"]


def test_a_long_run_of_repeated_words_takes_no_time() -> None:
    tokens = [(word,) for word in ("asthma", "heart", "pain", "abdomen")] * 20_000
    assert len(PhraseMatcher(PHRASES).find(tokens).matches) >= 20_000


@given(st.lists(st.sampled_from([*sorted({w for p in PHRASES for w in p.split()}), ",", "x"])))
def test_no_two_matches_overlap(words: list[str]) -> None:
    matches = PhraseMatcher(PHRASES).find([(word,) for word in words]).matches
    positions = [position for m in matches for position in range(m.first, m.last + 1)]
    assert len(positions) == len(set(positions))
    by_code = {code: set(phrase.split()) - {"of"} for phrase, code in PHRASES.items()}
    assert all(by_code[m.code] <= set(words[m.first : m.last + 1]) for m in matches)
