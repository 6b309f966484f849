from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.normalise import read_words
from cclearn.codes.clinical_terms.sentence import Match, Sentence
from cclearn.codes.clinical_terms.specificity import Specificity
from cclearn.coding.lexicon.coder import LexiconCoder


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CKD stage 3b", "N18.32"),
        ("CKD, now stage IV", "N18.4"),
        ("Chronic kidney disease for 3 years", "N18.9"),  # A duration is no stage.
        ("R wrist fx", "S62.101A"),
        ("Pressure ulcer of the sacrum, stage 3", "L89.153"),
        ("Painful varicose veins of the right leg", "I83.811"),
        ("Cancer of the left breast", "C50.912"),
        ("Acute DVT of the left femoral vein", "I82.412"),
        ("T2DM with mild nonproliferative retinopathy, right eye, no macular edema", "E11.3291"),
        ("Respiratory failure after transfusions for acute blood loss anemia", "J96.90"),
        ("Gallstones without cholecystitis or obstruction", "K80.20"),
    ],
)
def test_the_most_specific_supported_code_wins(lexicon: LexiconCoder, text: str, code: str) -> None:
    assert code in [assigned.code for assigned in lexicon.code(text).codes]


def test_two_sides_in_a_sentence_belong_to_no_phrase_for_certain(system: CodeSystem) -> None:
    words = read_words("Carpal tunnel syndrome, left, right").words
    match = Match(0, 2, "G56.00")
    assert Specificity(system).refine(match, Sentence(words)) == "G56.00"
    assert Specificity(system).refine(match, Sentence(words[:5])) == "G56.02"


def test_an_attribute_of_another_sentence_does_not_count(lexicon: LexiconCoder) -> None:
    (assigned,) = lexicon.code("Breast cancer. Left as planned.").codes
    assert assigned.code == "C50.919"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Nausea without vomiting", "R11.0"),
        ("Vomiting without nausea", "R11.11"),
        ("Nausea, no vomiting", "R11.0"),
        ("Vomits daily, no nausea", "R11.11"),
        ("Hyperglycemia, no diabetes", "R73.9"),
        ("Rheumatoid arthritis without rheumatoid factor", "M06.00"),
    ],
)
def test_words_around_a_negation_keep_their_sides(
    lexicon: LexiconCoder, text: str, code: str
) -> None:
    assert [assigned.code for assigned in lexicon.code(text).codes] == [code]
