from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.codes.search import Hit
from cclearn.errors import ConfigurationError


def _searches() -> list[dict[str, str]]:
    path = Path(__file__).parent / "searches.tsv"
    with path.open(encoding="utf-8", newline="") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _codes(hits: list[Hit]) -> list[str]:
    return [hit.code.code for hit in hits]


@pytest.mark.parametrize(
    ("code", "query"),
    [
        pytest.param(
            search["code"],
            search["query"],
            marks=[pytest.mark.xfail] if search["known_failure"] == "yes" else [],
        )
        for search in _searches()
    ],
)
def test_what_clinicians_write_finds_the_code_first(
    system: CodeSystem, code: str, query: str
) -> None:
    assert _codes(system.search(query, 1)) == [code]


def test_the_table_is_sound(system: CodeSystem) -> None:
    searches = _searches()
    assert len({search["query"] for search in searches}) == len(searches) >= 500
    assert {search["known_failure"] for search in searches} == {"", "yes"}
    assert all(system.is_billable(search["code"]) for search in searches)


@pytest.mark.parametrize(
    ("abbreviation", "codes"),
    [
        ("MI", ["I21.9", "I25.2", "I34.0"]),
        ("pe", ["I26.99", "O14.90", "J90"]),
        ("MS", ["G35.D", "I05.0"]),
        ("as", ["I35.0", "M45.9", "Q93.51"]),
        ("CaP", ["C61", "J18.9"]),
    ],
)
def test_an_abbreviation_finds_all_of_its_meanings(
    system: CodeSystem, abbreviation: str, codes: list[str]
) -> None:
    hits = system.search(abbreviation)
    assert _codes(hits)[: len(codes)] == codes
    assert {hit.score for hit in hits[: len(codes)]} == {100}


def test_each_hit_says_through_which_string_it_was_found(system: CodeSystem) -> None:
    def matched(text: str) -> str:
        return system.search(text, 1)[0].matched

    assert matched("chf") == "congestive heart failure"
    assert matched("heart attack") == "heart attack"
    assert matched("i214") == "I21.4"
    assert matched("r wrist fx") == "right wrist fracture"
    assert matched("pneumonia viral") == "Viral pneumonia, unspecified"


def test_every_code_occurs_once_by_decreasing_score(system: CodeSystem) -> None:
    hits = system.search("pneumonia", limit=100)
    assert len(set(_codes(hits))) == len(hits) == 100
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_header_comes_after_the_billable_code_that_it_stands_for(system: CodeSystem) -> None:
    hits = system.search("type 2 diabetes mellitus", 2)
    assert [(hit.code.code, hit.score) for hit in hits] == [("E11.9", 100), ("E11", 100)]


def test_only_billable_codes_are_found_if_so_wanted(system: CodeSystem) -> None:
    assert not all(hit.code.billable for hit in system.search("fall from ladder"))
    hits = system.search("fall from ladder", billable=True)
    assert len(hits) == 10
    assert all(hit.code.billable for hit in hits)
    assert hits[0].code.code == "W11.XXXA"


@pytest.mark.parametrize("chapter", ["9", "I00-I99", "i00 - i99"])
def test_only_codes_of_a_chapter_are_found_if_so_wanted(system: CodeSystem, chapter: str) -> None:
    hits = system.search("hypertension", 30, chapter=chapter)
    assert len(hits) == 30
    assert {system.chapter(hit.code.code) for hit in hits} == {"9"}


def test_a_chapter_chooses_among_the_meanings_of_an_abbreviation(system: CodeSystem) -> None:
    assert system.search("PE", chapter="10")[0].code.code == "J90"
    assert system.search("PE", chapter="15")[0].code.code == "O14.90"


@pytest.mark.parametrize(
    ("part", "codes"),
    [("I20-I25", {"I21.9", "I25.2"}), ("I50", set()), ("I21-I22", {"I21.9"})],
)
def test_a_block_a_header_or_a_range_may_stand_for_a_chapter(
    system: CodeSystem, part: str, codes: set[str]
) -> None:
    found = {hit.code.code for hit in system.search("MI", 100, chapter=part) if hit.score == 100}
    assert {code for code in found if system.is_billable(code)} == codes


def test_all_wrong_filters_are_reported_at_once(system: CodeSystem) -> None:
    with pytest.raises(ConfigurationError) as error:
        system.search("chf", 0, chapter="IX")
    limit, chapter = error.value.problems
    assert limit.startswith("limit (limit = 0): ")
    assert chapter.startswith("chapter (chapter = IX): icd10cm ")
    for wrong in ("", "23", "Z99-A00", "I00-", "heart"):
        with pytest.raises(ConfigurationError):
            system.search("chf", chapter=wrong)


@pytest.mark.parametrize("text", ["", " ", "xyzzyqqq", "...", "the of a", "?", "9", "I20-I25"])
def test_a_text_that_names_nothing_finds_nothing(system: CodeSystem, text: str) -> None:
    assert not [hit for hit in system.search(text) if hit.score == 100]
    assert text in {"9", "I20-I25"} or system.search(text) == []


def test_words_keep_their_sides_of_a_negation(system: CodeSystem) -> None:
    assert _codes(system.search("nausea without vomiting", 2))[0] == "R11.0"
    assert _codes(system.search("vomiting without nausea", 2))[0] == "R11.11"


@given(st.text(max_size=60), st.integers(1, 30), st.booleans())
def test_any_text_can_be_searched(
    system: CodeSystem, text: str, limit: int, billable: bool
) -> None:
    hits = system.search(text, limit, billable=billable)
    assert len(set(_codes(hits))) == len(hits) <= limit
    assert all(0 < hit.score <= 100 and hit.matched for hit in hits)
    assert hits == system.search(text, limit, billable=billable)


@given(st.sampled_from(_searches()), st.randoms(use_true_random=False))
def test_the_order_of_words_does_not_count(
    system: CodeSystem, search: dict[str, str], random: object
) -> None:
    # An abbreviation in brackets, such as "E. coli", is read in its order.
    title = system.description(search["code"]).partition(" [")[0]
    words = title.replace(",", " ").split()
    random.shuffle(words)  # type: ignore[attr-defined]
    plain, shuffled = (
        {hit.code.code: hit.score for hit in system.search(text, 40)}
        for text in (title, " ".join(words))
    )
    if "without" not in words and "no" not in words:
        assert plain.get(search["code"]) == shuffled.get(search["code"])


def test_a_table_of_ones_own_is_searched_without_the_words_of_icd10cm(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text(
        "code,description,synonyms,parent,billable\n"
        "10,Heart operations,,,0\n"
        "10.1,Bypass of the coronary arteries,CABG | heart bypass,10,1\n"
        "10.2,Replacement of a valve,,10,1\n"
        "20,Eye operations,,,0\n"
        "20.1,Bypass of the tear duct,,20,1\n",
        encoding="utf-8",
    )
    system = CodeSystem.load(str(table))
    assert _codes(system.search("CABG")) == ["10.1"]
    assert _codes(system.search("bypas of artery"))[0] == "10.1"
    assert _codes(system.search("chf")) == []
    assert _codes(system.search("bypass", chapter="20")) == ["20.1"]
    # A header with a single child stands for it.
    assert _codes(system.search("operations", billable=True)) == ["20.1"]


def test_a_table_without_words_finds_only_codes(tmp_path: Path) -> None:
    table = tmp_path / "signs.csv"
    table.write_text("code,description\n1A1,+\n1A2,!\n", encoding="utf-8")
    system = CodeSystem.load(str(table))
    assert _codes(system.search("anything")) == []
    assert _codes(system.search("1a2")) == ["1A2"]
