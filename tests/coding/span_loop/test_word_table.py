from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.coding.span_loop.word_table import WordTable, skeleton, words_of

PAIRS = [
    ("Dolor en el pecho", "Pain in the chest"),
    ("Dolor de cabeza", "Pain of head"),
    ("Dolor abdominal", "Abdominal pain"),
    ("Herida en el pecho", "Wound in the chest"),
    ("Herida de la cabeza", "Wound of the head"),
    ("Fractura de la cabeza", "Fracture of the head"),
]
IGNORED = ("in", "the", "of")
VOCABULARY = Counter(
    {
        "pain": 9,
        "chest": 5,
        "head": 5,
        "wound": 5,
        "appendicitis": 3,
        "cholecystitis": 2,
        "liver": 4,
    }
)


@pytest.fixture(scope="module")
def table() -> WordTable:
    return WordTable(PAIRS, VOCABULARY, IGNORED)


def test_words_are_translated_by_the_titles_that_they_share(table: WordTable) -> None:
    assert table.translate("Herida en el PECHO") == "wound chest"
    assert table.translate("dolor de cabeza, dolor") == "pain head"


def test_words_that_no_text_has_are_translated_as_their_cognates(table: WordTable) -> None:
    assert table.translate("apendicitis") == "appendicitis"
    assert table.translate("colecistitis T12 2") == "cholecystitis 2"
    assert table.translate("liver") == "liver"
    assert table.translate("fracturas") == "fracture"  # As `fractura` in the pairs.
    assert table.translate("zzz xyzzy") == ""


def test_a_cognate_decides_for_a_rare_word() -> None:
    pairs = [("apendicitis perforada", "rupture appendicitis")]
    assert WordTable(pairs, VOCABULARY).translate("apendicitis") == "appendicitis"


def test_ignored_words_are_no_translations() -> None:
    pairs = [("de la", "of the"), ("de", "of")]
    assert WordTable(pairs, {}).translate("de") == "of"
    assert WordTable(pairs, {}, IGNORED).translate("de la") == ""
    vocabulary = {"of": 5, "in": 2, "a": 9}
    assert WordTable([("dolor", "pain")], vocabulary, ("of", "in", "a")).translate("a in of") == ""


def test_words_of_few_letters_have_no_cognates() -> None:
    assert WordTable([("h k", "cold")], {}).translate("hh ch kh") == ""


def test_equal_pairs_count_once_and_their_order_does_not_matter() -> None:
    tables = [WordTable(p, VOCABULARY, IGNORED) for p in (PAIRS, PAIRS * 3, PAIRS[::-1])]
    texts = [text for text, _ in PAIRS]
    translated = [[table.translate(text) for text in texts] for table in tables]
    assert translated[0] == translated[1] == translated[2]


def test_an_empty_table_translates_nothing() -> None:
    assert WordTable([], {}).translate("dolor") == ""


def plain_model(pairs: list[tuple[str, str]], iterations: int) -> dict[str, str]:
    """Return the most likely word of each word by IBM model 1, written without arrays.

    It is empty if chance makes it more likely.
    """
    probability: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        counts: dict[tuple[str, str], float] = defaultdict(float)
        totals: dict[str, float] = defaultdict(float)
        for text, title in pairs:
            sources = ["", *sorted(set(words_of(text)))]
            for english in words_of(title):
                total = sum(probability[source, english] for source in sources)
                for source in sources:
                    counts[source, english] += probability[source, english] / total
                    totals[source] += probability[source, english] / total
        probability = defaultdict(
            float, {key: count / totals[key[0]] for key, count in counts.items()}
        )
    likely = sorted((-value, *key) for key, value in probability.items() if key[0])
    best: dict[str, str] = {}
    for negative, source, english in likely:
        is_chance = -negative < max(0.1, probability["", english])
        best.setdefault(source, "" if is_chance else english)
    return best


def test_the_table_agrees_with_a_second_implementation() -> None:
    # Without a vocabulary, no word has a prior count.
    expected = plain_model(PAIRS, 8)
    table = WordTable(PAIRS, {})
    assert {word: table.translate(word) for word in expected} == expected


@pytest.mark.parametrize(
    ("spanish", "english"),
    [
        ("colecistitis", "cholecystitis"),
        ("esteatosis", "steatosis"),
        ("pulmonar", "pulmonary"),
        ("hipertrofica", "hypertrophic"),
        ("anemia", "anaemia"),
        ("abdominales", "abdominal"),
        ("quiste", "cyst"),
        ("oedeme", "edema"),
    ],
)
def test_cognates_have_one_skeleton(spanish: str, english: str) -> None:
    assert skeleton(spanish) == skeleton(english)


def test_words_have_no_accents_and_no_capitals() -> None:
    assert words_of("Úlcera gástrica (T12)") == ["ulcera", "gastrica", "t12"]
    assert words_of("Œdème, Straße") == ["oedeme", "strasse"]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=6), st.text())
def test_any_text_can_be_translated(pairs: list[tuple[str, str]], text: str) -> None:
    translated = WordTable(pairs, VOCABULARY, IGNORED).translate(text).split(" ")
    assert len(translated) == len(set(translated))
