from __future__ import annotations

from collections import Counter

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.abbreviations import (
    NO_CODE,
    is_abbreviation,
    meanings,
    meanings_of,
)
from cclearn.codes.clinical_terms.normalise import UNKNOWN, read_words


def words_of(text: str) -> list[str]:
    return [word for words in read_words(text).words for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CHF", ["congestive", "heart", "failure"]),
        ("HTN", ["hypertension"]),
        ("htn", ["hypertension"]),
        ("R wrist fx", ["right", "wrist", "fracture"]),
        ("s/p fall", ["status", "post", "fall"]),
    ],
)
def test_an_abbreviation_is_read_in_full(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


def test_capitals_count_for_short_abbreviations() -> None:
    assert "aortic" in words_of("severe AS with a gradient across the aortic valve")
    assert words_of("as before") == ["before"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("relapsing MS, seen by neurology", "sclerose"),
        ("ESRD, HD on MWF via fistula", "dialyse"),
        ("HD with chorea, CAG 44", "huntington"),
        ("RA on methotrexate, joints swollen", "arthritis"),
    ],
)
def test_the_context_decides_what_an_abbreviation_means(text: str, word: str) -> None:
    assert word in words_of(text)


def test_an_abbreviation_without_context_is_not_guessed() -> None:
    assert words_of("MS.") == [UNKNOWN, "."]
    # A word in small letters stays a word.
    assert words_of("status post") == ["status", "post"]


def test_the_offsets_of_an_abbreviation_of_several_tokens() -> None:
    read = read_words("Seen c/o pain")
    number = next(n for n, start in enumerate(read.starts) if start == 5)
    assert read.ends[number] == 8


@pytest.mark.parametrize(
    ("text", "is_letter"),
    [
        ("hepatitis A", True),
        ("stage 3a", True),
        ("a fever", False),
        ("in 3 a day", False),
        ("a", False),
    ],
)
def test_the_letter_a_is_no_article(text: str, is_letter: bool) -> None:
    assert ("a" in words_of(text)) == is_letter


def test_the_table_is_sound(system: CodeSystem) -> None:
    table = meanings()
    assert len(table) >= 900
    assert all(m.code == NO_CODE or system.is_billable(m.code) for m in table)
    defaults = Counter(m.written for m in table if m.is_default)
    assert max(defaults.values()) == 1
    assert max(Counter((m.written, m.words) for m in table).values()) == 1


def test_a_sign_belongs_to_the_abbreviation() -> None:
    assert "positive" not in words_of("FOBT was negative")


def test_a_search_takes_the_most_usual_meaning() -> None:
    read = read_words("MS.", guess=True).words
    assert read == [("multiple", "sclerose"), (".",)]


@pytest.mark.parametrize(
    ("written", "first", "others"),
    [
        ("mi", "myocardial infarction", {"old myocardial infarction", "motivational interviewing"}),
        ("PE", "pulmonary embolism", {"pleural effusion", "physical examination"}),
        ("cap", "community acquired pneumonia", {"prostate cancer"}),
        ("CaP", "prostate cancer", {"community acquired pneumonia"}),
        # The default comes first, also if it names no condition.
        ("ED", "emergency department", {"erectile dysfunction"}),
    ],
)
def test_the_meanings_of_an_abbreviation(written: str, first: str, others: set[str]) -> None:
    found = [meaning.words for meaning in meanings_of(f" {written} ")]
    assert found[0] == first
    assert others < set(found)
    assert meanings_of("qqq") == []


def test_what_is_an_abbreviation_depends_on_its_capitals() -> None:
    assert is_abbreviation("PE")
    assert not is_abbreviation("pe")
    assert is_abbreviation("htn")
