from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.notes import SpanPair


@pytest.fixture(scope="module")
def candidates(system: CodeSystem) -> Candidates:
    return Candidates(LexiconCoder(system))


def test_titles_inflections_and_typing_errors_are_found(candidates: Candidates) -> None:
    texts = [
        "Anxiety disorder, unspecified",
        "rheumatic mitral stenoses",
        "ashtma",
        "cholelithiasys",
    ]
    found = list(candidates.retrieve(texts, 20))
    assert [codes[0] for codes in found[:2]] == ["F41.9", "I05.0"]
    assert "J45.909" in found[2]
    assert "K80.20" in found[3]


def test_candidates_are_billable_and_distinct(candidates: Candidates) -> None:
    for most in (1, 7, 100):
        for codes in candidates.retrieve(["fracture of femur", "diabetes", "?", "xyzzy"], most):
            assert len(codes) == len(set(codes)) <= most
            assert all(candidates.system.is_billable(code) for code in codes)


def test_candidates_include_the_siblings_of_the_nearest_codes(
    candidates: Candidates, system: CodeSystem
) -> None:
    (codes,) = candidates.retrieve(["type 2 diabetes mellitus with foot ulcer"], 60)
    assert codes[0] == "E11.621"
    assert set(system.neighbours("E11.621")) < set(codes)


def test_of_strings_with_equal_scores_the_first_are_candidates(tmp_path: Path) -> None:
    path = tmp_path / "equal.csv"
    # So many, and so like one another, that some of them are beyond what is handed on.
    rows = "".join(f"A{number:04},Hypertension,1\n" for number in range(3_000))
    path.write_text(f"code,description,billable\n{rows}")
    equal = Candidates(LexiconCoder(CodeSystem.load(str(path))))
    (codes,) = equal._by_characters(["hypertension"])
    assert codes == [f"A{number:04}" for number in range(600)]


def test_a_further_ranking_adds_candidates(system: CodeSystem) -> None:
    class Fixed:
        weight = 3.0

        def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
            return iter([["A00", "Z99.2"]] * len(texts))

    (codes,) = Candidates(LexiconCoder(system), [Fixed()]).retrieve(["qqq"], 10)
    # A header stands for its unspecified child.
    assert codes[:2] == ["A00.9", "Z99.2"]


def pair(text: str, code: str) -> SpanPair:
    return SpanPair(id=text, text=text, code=code, release="r", grade="gold", source="user")


def test_accents_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("code,description\nN23,Renal colic\nR55,Collapse\n")
    system = CodeSystem.load(str(path))
    # With its accents, "síncópé" shares no trigram with "sincope", and "sinopia" shares some.
    pairs = [pair("síncópé", "R55"), pair("sinopia", "N23")]
    (codes,) = Candidates(LexiconCoder(system), pairs=pairs).retrieve(["sincope"], 10)
    assert codes[0] == "R55"


def test_the_strings_of_pairs_are_searched(candidates: Candidates, system: CodeSystem) -> None:
    pairs = [
        pair("dolor torácico", "R07.9"),
        *[pair("Neumonía", "J18.9"), pair("neumonía", "J15.9"), pair("neumonía", "j15.9")],
        pair("insuficiencia cardíaca", "I50"),
    ]
    known = Candidates(LexiconCoder(system, pairs), pairs=pairs)
    texts = ["neumonía", "dolores torácicos", "INSUFICIENCIA  CARDÍACA"]
    found = list(known.retrieve(texts, 10))
    # The most frequent code of an equal string is the first; a header stands for a billable code.
    assert found[0][:2] == ["J15.9", "J18.9"]
    assert found[1][0] == "R07.9"
    assert found[2][0] == "I50.9"
    for codes in known.retrieve(["insuficiencia cardíaca leve", "fever; cough"], 6):
        assert all(system.is_billable(code) for code in codes)
    before = list(candidates.retrieve(texts, 10))
    assert "R07.9" not in before[1]
