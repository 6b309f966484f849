from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cclearn.coding.guidelines.suggestions.names import Names, NoteText


def found(names: str, text: str) -> list[str]:
    """Return the pieces of a text that are names."""
    searched = Names(names.split("; "))
    vocabulary = frozenset(word for words in searched.words_of_each for word in words)
    return [text[start:end] for start, end in NoteText(text, vocabulary).find(searched)]


def test_names_are_whole_words() -> None:
    assert found("insulin", "Insulin, INSULIN. insulinoma, proinsulin, pro-insulin") == [
        "Insulin",
        "INSULIN",
    ]
    assert found("insulin", "- insulin\n-insulin") == ["insulin", "insulin"]


def test_a_name_with_capitals_is_found_as_it_is_written() -> None:
    assert found("K; Mg", "K k Mg mg MG K+") == ["K", "Mg", "K"]


def test_an_asterisk_stands_for_the_rest_of_a_word() -> None:
    assert found("hypokal*; low potassium", "Hypokalemia and low potassium") == [
        "Hypokalemia"[:7],
        "low potassium",
    ]


def test_names_of_several_words_need_all_of_them() -> None:
    assert found("blood pressure", "blood. pressure") == []
    assert found("25(oh)d", "25(OH)D low") == ["25(OH)D"]


@given(st.text())
def test_a_text_has_as_many_bytes_as_code_points(text: str) -> None:
    note = NoteText(text, frozenset())
    assert len(note.ascii) == len(note.lowered_ascii) == len(note.lowered) == len(text)


@given(st.text(alphabet="aK é-/'1. ", max_size=20))
def test_a_name_is_found_in_any_surroundings(text: str) -> None:
    assert "potassium" in found("potassium", f"{text} potassium {text}")
