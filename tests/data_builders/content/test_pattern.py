from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_builders.content.pattern import parse_pattern


def test_a_pattern_has_slots_alternatives_and_numbers() -> None:
    pattern = parse_pattern("{age}-year-old {man|woman}, sodium {136..138}, INR {1.1..1.1}")
    assert pattern.slots == {"age"}
    pieces: list[str] = []
    pattern.fill(random.Random(0), pieces.append, lambda name: pieces.append(f"<{name}>"))
    text = "".join(pieces)
    assert text.startswith("<age>-year-old ")
    assert text.removeprefix("<age>-year-old ").split(",")[0] in ("man", "woman")
    assert text.endswith("INR 1.1")
    assert 136 <= int(text.split("sodium ")[1][:3]) <= 138


def test_empty_alternatives_leave_no_double_blanks() -> None:
    assert {parse_pattern("a {|big} b").text(random.Random(n)) for n in range(20)} == {
        "a b",
        "a big b",
    }
    pieces: list[str] = []
    for seed in range(20):
        parse_pattern("{x} {|big} b; {|} c\n").fill(
            random.Random(seed), pieces.append, pieces.append
        )
    assert set("".join(pieces).split("\n")) == {"x b; c", "x big b; c", ""}


@pytest.mark.parametrize("text", ["{", "a}", "{a", "{A b}", "{3..1}", "{}", "{1..b}"])
def test_a_wrong_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"brace|neither|greater"):
        parse_pattern(text)


@given(st.text().filter(lambda text: "{" not in text and "}" not in text), st.integers())
def test_a_text_without_braces_is_itself(text: str, seed: int) -> None:
    pieces: list[str] = []
    parse_pattern(text).fill(random.Random(seed), pieces.append, pieces.append)
    assert "".join(pieces) == text


@given(st.lists(st.text(st.characters(exclude_characters="{}|"), max_size=5), min_size=2))
def test_one_of_the_alternatives_is_chosen(alternatives: list[str]) -> None:
    pieces: list[str] = []
    parse_pattern("{" + "|".join(alternatives) + "}").fill(
        random.Random(0), pieces.append, pieces.append
    )
    assert "".join(pieces) in alternatives
