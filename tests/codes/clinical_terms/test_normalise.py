from __future__ import annotations

from typing import Literal
from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes.clinical_terms.normalise import (
    BOUNDARY,
    MARK,
    NORMALISED_WORDS,
    TOKEN,
    NormalisedWords,
    join_divided_words,
    read_words,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anaemia", "anemia"),
        ("oedema", "edema"),
        ("oesophagus", "esophagus"),
        ("diarrhoea", "diarrhea"),
        ("haematuria", "hematuria"),
        ("tumours", "tumor"),
        ("fibres", "fiber"),
        ("biopsies", "biopsy"),
        ("masses", "mass"),
        ("reflexes", "reflex"),
        ("metastases", "metastasis"),
        ("diseases", "disease"),
        ("adenomata", "adenoma"),
        ("kidneys", "renal"),
        ("testes", "testicular"),
        ("haemorrhage", "bleeding"),
    ],
)
def test_one_spelling(one: str, other: str) -> None:
    assert NORMALISED_WORDS[one] == NORMALISED_WORDS[other] != ()


@pytest.mark.parametrize(
    "word", ["virus", "ascites", "pus", "hive", "aerobic", "abscess", "pelvis"]
)
def test_words_that_are_no_plurals_are_not_changed(word: str) -> None:
    assert NORMALISED_WORDS[word] in ((word,), ("ascite",))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_do_not_distinguish_words(form: Literal["NFC", "NFD"]) -> None:
    for name in ("Guillain-Barré", "Sjögren", "Behçet"):
        plain = "".join(c for c in normalize("NFD", name) if not combining(c))
        text = normalize(form, f"{name} syndrome")
        read = read_words(text)
        assert read.words == read_words(f"{plain} syndrome").words
        assert text[read.starts[-2] : read.ends[-2]] == normalize(form, name.rpartition("-")[2])
    assert read_words(normalize(form, "año")).words != read_words("ano").words


def test_a_token_may_have_several_words() -> None:
    assert NORMALISED_WORDS["cancer"] == ("malignant", "neoplasm")
    assert NORMALISED_WORDS["hives"] != NORMALISED_WORDS["hiv"]


def test_ignored_words_marks_and_boundaries() -> None:
    assert (NORMALISED_WORDS["of"], NORMALISED_WORDS["and"], NORMALISED_WORDS["\n \n"]) == (
        (),
        (MARK,),
        (BOUNDARY,),
    )
    tokens = TOKEN.findall("e. coli 2.5, secondary to it.\n\nend")
    assert tokens == ["e", "coli", "2.5", ",", "secondary to", "it", ".", "\n\n", "end"]


@given(st.text())
def test_any_token_has_normalised_words(text: str) -> None:
    wording = NormalisedWords()
    for token in TOKEN.findall(text.lower()):
        assert all(word and " " not in word for word in wording[token])


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("old hyper-\ntension now", "hyper-\ntension"),
        ("old hyper-\n  tension now", "hyper-\n  tension"),
        ("a well-\nhyper tension", None),
        ("hyper-tension", None),
        ("hyper-\n(tension)", None),
    ],
)
def test_a_known_word_is_joined_over_a_line_end(text: str, evidence: str | None) -> None:
    read = read_words(text)
    join_divided_words(text, read, frozenset(("hypertension",)))
    joined = [n for n, words in enumerate(read.words) if words == ("hypertension",)]
    assert [text[read.starts[n] : read.ends[n]] for n in joined] == ([evidence] if evidence else [])


@given(st.text(alphabet="ab-\n (.", max_size=30))
def test_joining_keeps_all_offsets_in_order(text: str) -> None:
    read = read_words(text)
    join_divided_words(text, read, frozenset(("aa", "ab", "ba", "bb", "a", "b")))
    assert read.starts == sorted(read.starts)
    assert all(start < end <= len(text) for start, end in zip(read.starts, read.ends, strict=True))
