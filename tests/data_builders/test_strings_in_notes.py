from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes import AssignedCode, CodedNote, Evidence
from data_builders.strings_in_notes import StringFinder, string_precision, string_words


def found(strings: list[str], text: str) -> list[str]:
    finder = StringFinder(map(string_words, strings))
    return [text[start:end] for start, end, _ in finder.find(text)]


def test_the_longest_string_is_found_whatever_its_case_and_punctuation() -> None:
    strings = ["dolor", "dolor torácico", "Dolor torácico opresivo agudo", "tos"]
    text = "DOLOR  torácico, opresivo. Dolor y tos; tosferina."
    assert found(strings, text) == ["DOLOR  torácico", "Dolor", "tos"]
    assert found(["", "..."], "... a") == []


def test_offsets_are_those_of_the_text_if_lower_case_is_longer() -> None:
    assert found(["tos"], "İİ tos") == ["tos"]


_WORDS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(" ".join)


@given(st.lists(_WORDS, max_size=6), st.lists(st.sampled_from(["a", "b", "c", "."]), max_size=30))
def test_strings_are_found_as_a_regular_expression_finds_them(
    strings: list[str], words: list[str]
) -> None:
    text = " ".join(words)
    longest_first = sorted({s.replace(" ", r"\W+") for s in strings}, key=len, reverse=True)
    pattern = re.compile(rf"\b(?:{'|'.join(longest_first)})\b")
    expected = [match.group() for match in pattern.finditer(text)] if strings else []
    assert found(strings, text) == expected


def test_precision_counts_the_occurrences_that_are_evidence() -> None:
    text = "edad edad edad tos «tos» tos ferina"
    cited = {"R54": [(0, 4)], "R05.9": [(15, 18), (19, 24)]}
    codes = [
        AssignedCode(
            code=code, evidence=[Evidence(start=s, end=e, text=text[s:e]) for s, e in spans]
        )
        for code, spans in cited.items()
    ]
    negated = AssignedCode(code="R69").model_copy(
        update={"evidence": [Evidence(start=5, end=9, text="edad")], "assertion": "negated"}
    )
    note = CodedNote(id="n", text=text, codes=[*codes, negated])
    strings = ["edad", "tos", "tos ferina", "fiebre"]
    precision = string_precision([note], StringFinder(map(string_words, strings)))
    assert precision == {("edad",): 1 / 3, ("tos",): 1.0, ("tos", "ferina"): 0.0}
