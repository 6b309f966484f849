from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.coding.span_loop.translated import TranslatedRanking, longest_known
from cclearn.errors import ConfigurationError
from cclearn.notes import SpanPair

ROWS = """code,description,parent,billable
I10,Hipertensión esencial (primaria),,1
I27.2,Otras hipertensiones pulmonares,,1
J84.10,"Fibrosis pulmonar, no especificada",,1
K35,Apendicitis aguda,,1
K74.6,Otras cirrosis del hígado y las no especificadas,,1
K75.0,Absceso del hígado,,1
S82,Fractura de la pierna,,0
S82.201,Fractura de la tibia derecha,S82,1
S82.401,Fractura del peroné derecho,S82,1
M25.561,Dolor en la rodilla derecha,,1
M25.562,Dolor en la rodilla izquierda,,1
M25.551,Dolor en la cadera derecha,,1
M25.552,Dolor en la cadera izquierda,,1
N28.1,Quiste de riñón adquirido,,1
"""


@pytest.fixture
def spanish(tmp_path: Path) -> CodeSystem:
    path = tmp_path / "cie10.csv"
    path.write_text(ROWS, encoding="utf-8")
    return CodeSystem.load(str(path))


def pair(text: str, code: str) -> SpanPair:
    return SpanPair(id=text, text=text, code=code, release="r", grade="gold", source="user")


def test_codes_are_found_by_the_english_words_of_a_span(spanish: CodeSystem) -> None:
    ranking = TranslatedRanking(spanish)
    hypertension, cyst, none = ranking.rank(["hipertensión pulmonar", "quistes renales", "zzz"])
    assert hypertension[0] == "I27.2"
    assert none == []
    # `renal` is no word of the table, but an English word.
    assert cyst[0] == "N28.1"
    assert all(code in spanish for code in (*hypertension, *cyst))


def test_a_code_that_the_code_system_lacks_is_shortened(spanish: CodeSystem) -> None:
    (codes,) = TranslatedRanking(spanish).rank(["fractura de tibia derecha"])
    assert codes[0] == "S82.201"  # ICD-10-CM has S82.201A.


def test_codes_may_have_no_dots(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text(ROWS.replace(".", ""), encoding="utf-8")
    system = CodeSystem.load(str(path))
    (codes,) = TranslatedRanking(system).rank(["absceso hepático"])
    assert codes[0] == "K750"
    assert longest_known("K75.09", system) == "K750"
    assert longest_known("K76.0", system) is None


def test_other_codes_than_those_of_the_icd_10_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cpt.csv"
    path.write_text("code,description\n99213,Visita\n27447,Artroplastia de rodilla\n")
    with pytest.raises(ConfigurationError, match="no codes of the ICD-10"):
        TranslatedRanking(CodeSystem.load(str(path)))


@pytest.mark.slow
def test_own_titles_stay_the_first_candidates(spanish: CodeSystem) -> None:
    lexicon = LexiconCoder(spanish)
    candidates = Candidates(lexicon, [TranslatedRanking(spanish)])
    codes = [code for code in spanish.billable_codes() if code != "I27.2"]
    titles = [spanish.description(code) for code in codes]
    assert [found[0] for found in candidates.retrieve(titles, 5)] == codes


def test_long_texts_are_searched_by_their_first_words(spanish: CodeSystem) -> None:
    text = "absceso hepático " + " ".join(f"asma{number}" for number in range(5_000))
    assert next(TranslatedRanking(spanish).rank([text]))[0] == "K75.0"


def test_pairs_teach_words_that_titles_lack(tmp_path: Path) -> None:
    path = tmp_path / "skin.csv"
    path.write_text("code,description\nR20.2,Parestesia cutánea\nR21,Exantema\n", encoding="utf-8")
    system = CodeSystem.load(str(path))
    pairs = [pair("sarpullido", "R21"), pair("un sarpullido", "R21")]
    assert list(TranslatedRanking(system).rank(["sarpullido"])) == [[]]
    (codes,) = TranslatedRanking(system, pairs).rank(["sarpullido"])
    assert codes == ["R21"]


@pytest.mark.slow
def test_a_translated_code_precedes_candidates_that_are_spelt_alike(spanish: CodeSystem) -> None:
    lexicon, text = LexiconCoder(spanish), "sarpullido"
    (without,) = Candidates(lexicon).retrieve([text], 3)
    ranking = TranslatedRanking(spanish, [pair("sarpullido", "I10")])
    (translated,) = Candidates(lexicon, [ranking]).retrieve([text], 3)
    assert (without[0], translated[0]) == ("N28.1", "I10")


def test_the_setting_selects_translation(spanish: CodeSystem, tmp_path: Path) -> None:
    replay = tmp_path / "answers.jsonl"
    replay.write_text('{"id": "n", "answer": "none"}\n')
    with pytest.raises(
        ConfigurationError, match=r"translate \(translate = true\): generated codes"
    ):
        Coder.load(f"replay:{replay}", spanish, loop=LoopSettings(translate=True))
    plain = Coder.load("lexicon", spanish, loop=LoopSettings())
    coder = Coder.load("lexicon", spanish, loop=LoopSettings(translate=True))
    assert plain.identity != coder.identity
    assert next(iter(coder.code_spans(["hipertensión pulmonar"])))[0] == "I27.2"
