from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.codes.search_index import SearchIndex, search_index
from cclearn.codes.table import CodeTable, Kind
from cclearn.runtime.caches import cache_folder


@pytest.fixture(scope="module")
def index(system: CodeSystem) -> SearchIndex:
    return search_index(system)


WORDS = ("alpha", "beta", "gamma", "delta", "left", "encounter")


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, unique=True), min_size=1, max_size=8),
    st.lists(st.sampled_from((*WORDS, "unheard")), min_size=1, unique=True),
)
def test_scores_are_the_weighted_dice_coefficient(titles: list[list[str]], text: list[str]) -> None:
    table = CodeTable("one")
    for number, title in enumerate(titles):
        table.add(f"C{number}", " ".join(title), -1, Kind.CATEGORY, billable=True)
    index = search_index(CodeSystem("own", table, f"{titles}"))
    found = {string.code: string.score for string in index.nearest(text, len(titles))}
    for number, title in enumerate(titles):
        shared = index.weight(word for word in text if word in title)
        expected = 2 * shared / (index.weight(text) + index.weight(title))
        # Words that are in many strings retrieve none if the text has a rarer word.
        assert found.get(f"C{number}", 0) in (0, pytest.approx(expected, abs=1e-6))
    assert bool(found) == any(set(text) & set(title) for title in titles)


def test_only_allowed_codes_and_headers_that_stand_for_them_are_returned(
    system: CodeSystem, index: SearchIndex
) -> None:
    allowed = np.zeros(len(system), dtype=bool)
    allowed[index.rows["I50.9"]] = True
    found = index.nearest(("heart", "failure"), 50, allowed)
    assert found
    assert {string.billable for string in found} == {"I50.9"}
    assert {string.code for string in found} == {"I50", "I50.9"}
    assert index.nearest(("heart", "failure"), 50, np.zeros(len(system), dtype=bool)) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pnuemonia", "pneumonia"),  # Two letters change places.
        ("diarhea", "diarrhea"),
        ("osteoperosis", "osteoporose"),  # More frequent than "osteopetrosis".
        ("schizofrenia", "schizophrenia"),
        ("regurg", "regurgitation"),  # The beginning of a word.
        ("qqqqq", None),
        ("ab", None),
        ("2345", None),
        ("", None),
    ],
)
def test_an_unknown_word_is_read_as_the_nearest(
    index: SearchIndex, word: str, expected: str | None
) -> None:
    assert index.corrected(word) == expected


def test_words_that_clinicians_omit_count_little_and_sides_much(index: SearchIndex) -> None:
    assert index.weight(["encounter"]) < index.weight(["subsequent"]) / 2
    assert index.weight(["left"]) > index.weight(["subsequent"])
    assert index.weight(["qqqqq"]) >= index.weight(["lanuginosa"])


def test_a_damaged_file_in_the_cache_is_replaced(tmp_path: Path) -> None:
    table = tmp_path / "veins.csv"
    table.write_text("code,description\n1,Bypass of a vein\n", encoding="utf-8")
    assert [hit.code.code for hit in CodeSystem.load(str(table)).search("vein")] == ["1"]
    (path,) = cache_folder().glob("veins-*.search.arrow")
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    search_index.cache_clear()
    assert [hit.code.code for hit in CodeSystem.load(str(table)).search("vein")] == ["1"]
    assert path.read_bytes() == content
