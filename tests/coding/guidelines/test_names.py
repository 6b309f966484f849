from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cclearn.coding.guidelines.names import Names

NAMES = Names([("A", "strep; egg"), ("B", "strep throat; e. coli")])


def test_the_longest_name_is_found_with_its_plural() -> None:
    text = "strep throat, eggs, eggplant, strep and e. coli"
    found = [(text[name.start : name.end], name.code) for name in NAMES.find(text, 0, len(text))]
    assert found == [("strep throat", "B"), ("eggs", "A"), ("strep", "A"), ("e. coli", "B")]


@given(st.text(alphabet="strep hoag.\n"), st.integers(0, 20), st.integers(0, 20))
def test_names_are_within_the_part_that_is_searched(text: str, start: int, length: int) -> None:
    for name in NAMES.find(text, start, start + length):
        assert start <= name.start < name.end <= min(len(text), start + length)
