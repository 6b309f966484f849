from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cclearn import Coder, Note
from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.phrases import IF_PAST, collect_phrases
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.notes import CodedNote, SpanPair

NOTE = (
    "Chief complaint: Shortness of breath.\r\n"
    "History of present illness: 71-year-old woman with TYPE 2 diabetes\n mellitus, essential"
    " hypertension asthma, and acute on chronic systolic heart failure. No evidence of pneumonia."
    " Sepsis was ruled out.\n"
    "Family history: Father with acute myocardial infarction.\n"
    "Plan: Return if chest pain develops. Follow-up for asthma.\n"
)


@pytest.fixture(scope="module")
def lexicon() -> LexiconCoder:
    return Coder.lexicon()


def found(coded: CodedNote) -> dict[str, list[str]]:
    return {assigned.code: [e.text for e in assigned.evidence] for assigned in coded.codes}


def test_a_note_is_coded_with_its_own_words(lexicon: LexiconCoder) -> None:
    assert found(lexicon.code(NOTE)) == {
        "R06.02": ["Shortness of breath"],
        "E11.9": ["TYPE 2 diabetes\n mellitus"],
        "I11.0": ["essential hypertension", "acute on chronic systolic heart failure"],
        "J45.909": ["asthma", "asthma"],
        "I50.23": ["acute on chronic systolic heart failure"],
    }


def test_words_that_fit_a_phrase_in_several_ways_always_give_its_code(
    lexicon: LexiconCoder,
) -> None:
    # "Non" occurs twice. The choice between the two must not depend on the order of a set.
    text = "Continue treatment of non-ischemic myocardial injury (non-traumatic)."
    assert list(found(lexicon.code(text))) == ["I5A"]


def test_negated_mentions_give_no_code(lexicon: LexiconCoder) -> None:
    assertions = {
        NOTE[finding.start : finding.end]: finding.assertion for finding in lexicon.find(NOTE)
    }
    assert assertions["pneumonia"] == "negated"
    assert assertions["Sepsis"] == "ruled_out"
    assert assertions["acute myocardial infarction"] == "family"
    assert assertions["chest pain"] == "hypothetical"
    assert "illness" not in assertions


def test_an_empty_note_has_no_codes(lexicon: LexiconCoder) -> None:
    for text in ("", " ", "\r\n", "?!.", "👩‍⚕️"):
        assert lexicon.code(text).codes == []


def test_phrases_do_not_extend_across_sentences_or_into_words(lexicon: LexiconCoder) -> None:
    assert found(lexicon.code("He had heart. Failure was seen.")) == {}
    assert found(lexicon.code("prepneumonias")) == {}
    assert list(found(lexicon.code("pneumonia"))) == ["J18.9"]


def test_an_abbreviated_word_does_not_end_a_sentence(lexicon: LexiconCoder) -> None:
    assert found(lexicon.code("Sepsis due to E. coli")) == {"A41.51": ["Sepsis due to E. coli"]}


def test_every_phrase_stands_for_a_billable_code(lexicon: LexiconCoder) -> None:
    assert len(lexicon.phrases) > 100_000
    codes = {code.removeprefix(IF_PAST) for code in lexicon.phrases.values()} - {NO_CODE}
    assert all(map(lexicon.system.is_billable, codes))


@pytest.mark.slow
def test_cached_phrases_are_those_of_the_system(system: CodeSystem) -> None:
    first = {words: code for words, (code, _) in collect_phrases(system).items()}
    assert LexiconCoder(system).phrases == first


def test_span_pairs_replace_phrases(system: CodeSystem) -> None:
    pair = SpanPair(id="p", text="sugar", code="e119", release="r", grade="gold", source="user")
    assert found(LexiconCoder(system, [pair]).code("Sugar!")) == {"E11.9": ["Sugar"]}


def test_the_most_frequent_code_of_a_phrase_counts(system: CodeSystem) -> None:
    def coded(*codes: str) -> dict[str, list[str]]:
        pairs = [
            SpanPair(id="p", text="sugar", code=code, release="r", grade="gold", source="user")
            for code in codes
        ]
        return found(LexiconCoder(system, pairs).code("Sugar!"))

    assert coded("E10.9", "E11.9", "e119") == {"E11.9": ["Sugar"]}
    assert coded("E10.9", "E11.9") == {"E10.9": ["Sugar"]}


def test_span_pairs_replace_phrases_in_any_order_of_their_words(system: CodeSystem) -> None:
    pair = SpanPair(
        id="p", text="failure of the heart", code="I50.1", release="r", grade="gold", source="user"
    )
    coder = LexiconCoder(system, [pair])
    assert found(coder.code("Heart failure")) == {"I50.1": ["Heart failure"]}
    assert len(coder.phrases) == len(LexiconCoder(system).phrases)
    assert coder.model_sha256 != LexiconCoder(system).model_sha256


def test_words_may_be_in_any_order_and_spelling(lexicon: LexiconCoder) -> None:
    text = "Pain in the left knee, oedema; tumour of the bladder. Cancer of the left breast."
    assert found(lexicon.code(text)) == {
        "M25.562": ["Pain in the left knee"],
        "R60.9": ["oedema"],
        "D49.4": ["tumour of the bladder"],
        "C50.912": ["Cancer of the left breast"],
    }


def test_a_general_word_is_no_diagnosis(lexicon: LexiconCoder) -> None:
    text = "The tumor grew after the fracture, allergy and pregnancy; cancer was feared."
    assert found(lexicon.code(text)) == {}


awkward = st.lists(
    st.sampled_from(
        [
            "asthma",
            "İ",
            "e\u0301",
            "👩‍⚕️",
            "\r\n",
            "\u00a0",
            " ",
            "heart failure",
            ".",
            "no ",
            "ß",
            "ﬁ",
        ]
    ),
    max_size=20,
).map("".join)


@given(text=awkward)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_offsets_are_exact_in_any_text(lexicon: LexiconCoder, text: str) -> None:
    # CodedNote itself refuses evidence that is not the words at its offsets.
    coded = lexicon.code(text)
    for assigned in coded.codes:
        for evidence in assigned.evidence:
            quote = evidence.text.lower()
            # Cardiac asthma: the words may be in any order, with what is no word between them.
            assert quote.startswith(("asthma", "heart"))
            assert quote.endswith(("asthma", "heart", "failure"))
            assert set(re.findall(r"[^\W\d_]+", quote)) <= {"asthma", "heart", "failure"}


def test_order_and_number_of_notes_are_kept(lexicon: LexiconCoder) -> None:
    notes = [Note(id=str(number), text=f"asthma {number}") for number in range(5)]
    assert [note.id for note in lexicon.code_many(iter(notes))] == ["0", "1", "2", "3", "4"]


@pytest.mark.shared_data
def test_published_notes_are_coded(lexicon: LexiconCoder, shared_data: Path) -> None:
    notes = []
    for path in sorted((shared_data / "aci_bench").glob("*.csv")):
        if not path.stem.endswith("_metadata"):
            with path.open(encoding="utf-8", newline="") as stream:
                rows = csv.DictReader(stream)
                notes += [Note(id=row["encounter_id"], text=row["note"]) for row in rows]
    coded = list(lexicon.code_many(notes))
    assert len(coded) == len(notes) == 207
    assert all(assigned.evidence for note in coded for assigned in note.codes)
    assert sum(bool(note.codes) for note in coded) >= 200


def test_long_runs_of_white_space_take_no_longer_than_their_length(lexicon: LexiconCoder) -> None:
    # If every position of such a run were tried, it would take hours.
    for white in (" ", "\t", "\n", " \n", "\u00a0"):
        found = lexicon.find("asthma. " + white * 500_000 + "x")
        assert [finding.code for finding in found] == ["J45.909"]


def test_a_code_system_without_a_word_has_no_phrases(tmp_path: Path) -> None:
    (tmp_path / "symbols.csv").write_text("code,description\n1.1,-;()\n1.2,***\n")
    coder = Coder.lexicon(CodeSystem.load(str(tmp_path / "symbols.csv")))
    assert coder.code(NOTE).codes == []
    assert coder.phrases == {}


def test_pairs_with_a_boundary_or_a_header_are_no_trap(system: CodeSystem) -> None:
    def pair(text: str, code: str) -> SpanPair:
        return SpanPair(id=text, text=text, code=code, release="r", grade="gold", source="user")

    pairs = [pair("fever; cough", "R50.9"), pair("dolor", "I21"), pair("weak pump", "I10")]
    coder = LexiconCoder(system, [*pairs, pair("pump weak", "I15.0"), pair("pump weak", "I15.0")])
    # No phrase extends over a boundary, so that other texts with one do not get the code.
    assert "R50.9" not in coder.phrase_codes("kidney stone; nausea")
    assert found(coder.code("He has dolor.")) == {"I21.9": ["dolor"]}
    # A phrase matches in any order of its words, and so are its codes counted.
    assert found(coder.code("A weak pump.")) == {"I15.0": ["weak pump"]}
