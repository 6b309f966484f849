from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.phrases import (
    NO_CODE,
    collect_phrases,
    phrase_rows,
    phrase_words,
    word_set,
)
from cclearn.codes.clinical_terms.tables import PHRASES, read_table


@pytest.fixture(scope="module")
def collected(system: CodeSystem) -> dict[str, str]:
    """The phrases of the code system, with their codes."""
    return {words: code for words, code, _ in phrase_rows(system)}


@pytest.fixture(scope="module")
def phrases(collected: dict[str, str]) -> dict[frozenset[str], str]:
    return {word_set(words): code for words, code in collected.items()}


def test_words_of_a_phrase() -> None:
    assert phrase_words("Neoplasms of the Kidney, left") == "neoplasm of kidney of left"
    assert phrase_words("Renal tumour") == "kidney neoplasm"
    assert phrase_words("Chronic; acute") == ""
    assert word_set("neoplasm of kidney") == word_set("kidney neoplasm")


@pytest.mark.parametrize(
    ("phrase", "code"),
    [
        ("splenomegaly", "R16.1"),  # Not elsewhere classified.
        ("oliguria", "R34"),  # Anuria and oliguria.
        ("kidney cancer", "C64.9"),  # Except renal pelvis.
        ("liver metastases", "C78.7"),  # Liver and intrahepatic bile duct.
        ("gallstones", "K80.20"),
        ("bladder tumour", "D49.4"),  # Of unspecified behaviour.
        ("high blood pressure", "I10"),
        ("diabetic", "E11.9"),
        ("diabetes mellitus", "E11.9"),
        ("pain in the right lower limb", "M79.604"),
        ("ex-smoker", "Z87.891"),
    ],
)
def test_restrictions_that_notes_omit_are_removed(
    phrases: dict[frozenset[str], str], phrase: str, code: str
) -> None:
    assert phrases[word_set(phrase_words(phrase))] == code


@pytest.mark.parametrize(
    "phrase",
    ["tumor", "cancer", "fracture", "injury", "pregnancy", "needle", "left", "examination"],
)
def test_words_that_name_no_diagnosis_have_no_code(
    phrases: dict[frozenset[str], str], phrase: str
) -> None:
    assert phrases.get(word_set(phrase_words(phrase))) in (None, NO_CODE)


def test_no_two_phrases_have_the_same_words(collected: dict[str, str]) -> None:
    words = Counter(map(word_set, collected))
    assert words.most_common(1)[0][1] == 1


def test_each_line_of_the_table_changes_something(system: CodeSystem) -> None:
    rows = read_table(PHRASES)
    entries = [(code, word_set(phrase_words(p))) for code, ps in rows for p in ps.split("; ")]
    assert len(entries) > 500
    assert max(Counter(words for _, words in entries).values()) == 1
    assert frozenset({""}) not in {words for _, words in entries}
    assert [code for code, _ in rows] == sorted({code for code, _ in rows})
    lost = {c for c, _ in rows if c != NO_CODE and (c not in system or not system.unspecified(c))}
    assert not lost


def test_other_systems_have_only_their_own_phrases(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text("code,description\n1,Bypass without graft\n", encoding="utf-8")
    system = CodeSystem.load(str(table))
    assert collect_phrases(system) == {"bypass without graft": ("1", "Bypass without graft")}
    # The second time, they come from the cache.
    for _ in range(2):
        rows = list(phrase_rows(system))
        assert rows == [("bypass without graft", "1", "Bypass without graft")]
