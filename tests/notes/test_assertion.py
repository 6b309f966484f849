from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.assertion import AssertionRules, cues
from cclearn.notes.assertion.prefixes import any_of, prefixes
from cclearn.notes.contract import Assertion
from cclearn.notes.sections import find_sections, find_sentences

# The mention is between asterisks.
CASES = [
    ("negated", "No *chest pain* but has fever."),
    ("present", "No chest pain but has *fever*."),
    ("negated", "The smear is negative for *pneumonia*."),
    ("negated", "Denies fever, chills, or *cough*."),
    ("negated", "No evidence of *acute MI*. She has heart failure."),
    ("present", "No evidence of acute MI. She has *heart failure*."),
    ("negated", "*MI* is unlikely."),
    ("present", "No fever\n- *chills*"),
    ("ruled_out", "*Pneumonia* was ruled out."),
    ("ruled_out", "CT ruled out *pulmonary embolism*."),
    ("present", "Not only *asthma* but COPD."),
    ("family", "Family history: *diabetes* in father.\nPlan: treat asthma"),
    ("present", "Family history: diabetes in father.\nPlan: treat *asthma*"),
    ("family", "FAMILY HISTORY\nstroke and *asthma*\nPLAN\nrest"),
    ("present", "Family history\nStroke.\nCourse in hospital\nTreated for *asthma*."),
    ("present", "FH: stroke.\n\nHome medications\nInhalers for *asthma*"),
    ("present", "The daughter mentioned *confusion*."),
    ("family", "The daughter mentioned that her aunt had *asthma*."),
    ("present", "Screening was positive for *depression*."),
    ("hypothetical", "Screening for *depression* next year."),
    ("family", "Mother had *breast cancer*."),
    ("family", "Her father died of *stroke* and she has asthma."),
    ("present", "Her father died of stroke and she has *asthma*."),
    ("family", "Family history of *colon cancer*."),
    ("hypothetical", "Return if *fever* develops."),
    ("hypothetical", "Counselled about the risk of *stroke*."),
    ("hypothetical", "Prophylaxis against *deep vein thrombosis* was discussed."),
    ("historical", "History of *pneumonia*."),
    ("historical", "s/p *myocardial infarction*"),
    ("present", "Patient has *diabetes mellitus without complications*."),
    ("present", "He denies smoking; *hypertension* is treated."),
    ("present", "*Hypertension*"),
    ("present", "71-year-old woman with *asthma*."),
    ("present", "A 71 year old man with *asthma*."),
    ("historical", "Old *myocardial infarction*."),
    ("ruled_out", "*PE* ruled out, DVT confirmed."),
    ("present", "PE ruled out, *DVT* confirmed."),
    ("present", "MI was excluded and *pneumonia* was found."),
    ("ruled_out", "Ruled out PE, *DVT*."),
    ("negated", "Patient denied fever, *cough*."),
]

# The cues that Section II.H of the ICD-10-CM Official Guidelines lists, IV.H besides, and like ones.
UNCERTAIN = [
    ("uncertain", "Probable *pneumonia*."),
    ("uncertain", "He probably has *gout*."),
    ("uncertain", "Suspected *appendicitis*."),
    ("uncertain", "She was suspected of having *sarcoidosis*."),
    ("uncertain", "We suspect *lymphoma*."),
    ("uncertain", "Most likely *viral meningitis*."),
    ("uncertain", "Abdominal pain likely due to *pancreatitis*."),
    ("present", "*Abdominal pain* likely due to pancreatitis."),
    ("uncertain", "Questionable *seizure disorder*."),
    ("uncertain", "Possible *tonsillitis*."),
    ("uncertain", "Possible pneumonia, pyelonephritis, or *sepsis*."),
    ("uncertain", "Possible pneumonia, *pyelonephritis*, or sepsis."),
    ("uncertain", "Concern for *stroke*, seizure or migraine."),
    ("uncertain", "R/o stroke, *seizure*, migraine."),
    ("present", "Likely migraine, *asthma*."),
    ("present", "Likely migraine, *asthma*. No fever or cough."),
    ("present", "Likely migraine, asthma and *gout*, stable or better."),
    (
        "present",
        "Admitted for a possible stroke, treated with aspirin, *asthma*, no fever or cough.",
    ),
    ("ruled_out", "Admit to rule out *stroke*."),
    ("uncertain", "Possible acute left lower lobe *pneumonia*."),
    ("uncertain", "*Sepsis*, still to be ruled out."),
    ("uncertain", "*Sepsis* still to be ruled out."),
    ("uncertain", "*Sepsis* cannot be excluded."),
    ("uncertain", "Cannot rule out *sepsis*."),
    ("uncertain", "*Endocarditis* has not been ruled out."),
    ("uncertain", "R/o *pulmonary embolism*."),
    ("uncertain", "Rule out *pulmonary embolism*."),
    ("ruled_out", "A CT was done to rule out *pulmonary embolism*."),
    ("uncertain", "Findings compatible with *sarcoidosis*."),
    ("uncertain", "Radiograph consistent with a right-sided *pneumothorax*."),
    ("uncertain", "The picture was suggestive of *tuberculosis*."),
    ("uncertain", "Working diagnosis: *migraine*."),
    ("uncertain", "Concern for *cellulitis*."),
    ("uncertain", "*Appendicitis* is suspected."),
    ("uncertain", "*Stroke* was considered likely."),
    ("uncertain", "*Cholecystitis* (probable)."),
    ("uncertain", "*Cholecystitis*, possible."),
    ("negated", "*Stroke* is unlikely."),
    ("negated", "No suspected *fracture*."),
    ("family", "Mother had possible *lupus*."),
    ("hypothetical", "Watch for signs of possible *infection*."),
    ("uncertain", "History of possible *stroke*."),
    ("present", "Possible pneumonia and *diabetes*."),
    ("present", "Possible pneumonia, *diabetes*, hypertension."),
    ("present", "Suspected pneumonia. *Asthma*."),
    ("present", "Follow up as soon as possible for *asthma*."),
    ("present", "He is likely to need surgery for *appendicitis*."),
]


@pytest.mark.parametrize(("expected", "marked"), CASES + UNCERTAIN)
def test_cues(expected: str, marked: str) -> None:
    start = marked.index("*")
    end = marked.index("*", start + 1) - 1
    assert AssertionRules(marked.replace("*", "")).assertion_of(start, end) == expected


def test_a_long_run_of_marks_takes_no_time() -> None:
    text = "asthma " + "-'/" * 5_000 + " a b c d e f g h negative"
    assert AssertionRules(text).assertion_of(0, 6) == "present"


@given(st.text(max_size=80), st.data())
def test_any_span_of_any_text_has_an_assertion(text: str, data: st.DataObject) -> None:
    if text:
        start = data.draw(st.integers(0, len(text) - 1))
        assert AssertionRules(text).assertion_of(
            start, data.draw(st.integers(start + 1, len(text)))
        )


@given(st.text(st.sampled_from("aA.:; \r\n-1İ\u2028"), max_size=60))
def test_sections_and_sentences_cover_the_text(text: str) -> None:
    assert "".join(text[start:end] for start, end in find_sentences(text)) == text
    assert "".join(text[s.start : s.end] for s in find_sections(text)) == text
    assert all(s.start <= s.body <= s.end for s in find_sections(text))


def test_cues_in_a_phrase_apply_to_nothing_after_it() -> None:
    text = "Barrett esophagus without dysplasia, reflux."
    assert AssertionRules(text).assertion_of(37, 43) == "negated"
    rules = AssertionRules(text)
    rules.ignore_cues_in([(0, 35)])
    assert rules.assertion_of(37, 43) == "present"
    assert rules.sentence_at(40) == (0, len(text))


def test_sections_are_named() -> None:
    text = "Seen today.\nFamily History: none\nASSESSMENT AND PLAN\nrest\nDiabetes: stable"
    sections = find_sections(text)
    assert [section.name for section in sections] == [
        "",
        "family history",
        "assessment and plan",
        "diabetes",
    ]
    assert [section.has_known_header for section in sections] == [False, True, True, False]


def _traps() -> list[tuple[str, str, str, str]]:
    path = Path(__file__).parent / "assertion_traps.tsv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(
            (line for line in stream if not line.startswith("#")),
            delimiter="\t",
            quoting=csv.QUOTE_NONE,
        )
        return [(r["assertion"], r["trap"], r["known_failure"], r["sentence"]) for r in rows]


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        pytest.param(
            expected, sentence, marks=[pytest.mark.xfail] if known_failure == "yes" else []
        )
        for expected, _, known_failure, sentence in _traps()
    ],
)
def test_traps(expected: str, sentence: str) -> None:
    test_cues(expected, sentence.replace("\\n", "\n"))


def test_traps_cover_every_assertion() -> None:
    traps = _traps()
    assert len(traps) >= 500
    assert len({sentence for *_, sentence in traps}) == len(traps)
    assert {known_failure for _, _, known_failure, _ in traps} <= {"", "yes"}
    assert {expected for expected, *_ in traps} == set(get_args(Assertion))
    assert all(sentence.count("*") == 2 for *_, sentence in traps)


def test_cues_are_those_of_one_pattern_of_all() -> None:
    pattern, groups = cues._pattern(cues._read())
    for _, _, _, sentence in _traps():
        text = sentence.replace("*", "").replace("\\n", "\n").lower()
        expected = [(*m.span(), *groups[m.lastgroup or ""]) for m in pattern.finditer(text)]
        assert list(map(tuple, cues.find_cues(text, 0, len(text)))) == expected


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("not?", {"no", "not"}),
        ("(?:a|bc)d", {"ad", "bcd"}),
        ("x+y", {"x"}),
        (r"\d kg", {f"{digit} kg" for digit in range(10)}),
        (r"s/p\b", {"s/p"}),
        ("(?<!very )likely", {"like"}),
        ("[ab]{1,2}c", {"a", "b"}),
        (r"\w+ ago", {""}),
    ],
)
def test_prefixes_of_patterns(pattern: str, found: set[str]) -> None:
    assert prefixes(pattern) == found


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1), st.text("abc"))
def test_the_pattern_of_prefixes_matches_where_one_of_them_does(
    words: list[str], text: str
) -> None:
    assert (re.match(any_of(words), text) is not None) == text.startswith(tuple(words))


def test_cues_are_those_of_a_search_without_prefixes() -> None:
    everything, groups = cues._beginning_with("")
    for *_, sentence in _traps():
        text = sentence.lower()
        found = list(cues.find_cues(text, 0, len(text)))
        plain, position = [], 0
        while match := everything.search(text, position):
            plain.append((*match.span(), *groups[match.lastgroup or ""]))
            position = match.end()
        assert found == plain
