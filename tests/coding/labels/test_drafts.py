from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding import CoderSettings, load_coder
from cclearn.coding.identity import coder_manifest
from cclearn.coding.labels.coder import LabelCoder
from cclearn.coding.labels.drafts import LabelRanking, LabelRecogniser
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.assigners import ChoosingAssigner, Mention
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from tests.models import random_engine

SETTINGS = LabelSettings(threshold=0.05, top=3, evidence_threshold=0.02)


def notes(data: Path) -> list[CodedNote]:
    return list(read_coded_notes(data / "notes" / "notes.jsonl"))[:4]


def test_the_evidence_of_codes_is_proposed_with_them(
    model: Path, data: Path, system: CodeSystem
) -> None:
    coder = LabelCoder(str(model), system, SETTINGS)
    given = [note.note for note in notes(data)]
    recognised = list(LabelRecogniser(coder).recognise(given))
    for found, read in zip(recognised, coder.read_many(given), strict=True):
        assert found.spans.keys() == found.proposed.keys()
        proposed = {(span, code) for span, codes in found.proposed.items() for code in codes}
        assert proposed == {((f.start, f.end), f.code) for f in read.findings}
    assert any(found.spans for found in recognised)


def test_a_model_chooses_among_proposed_codes_first(system: CodeSystem) -> None:
    assigner = ChoosingAssigner(random_engine(), Candidates(LexiconCoder(system)), max_candidates=4)
    mention = Mention("1", "pain", proposed=("S02.0XXA", "I10"))
    (codes,) = assigner.candidates_of([mention])
    assert codes[:2] == ["S02.0XXA", "I10"]
    assert len(codes) == 4
    (plain,) = assigner.candidates_of([Mention("1", "pain")])
    assert codes[2:] == [code for code in plain if code not in codes[:2]][:2]


def test_drafts_are_verified_by_a_model(
    model: Path, data: Path, system: CodeSystem, tmp_path: Path
) -> None:
    engine = random_engine()
    engine.model.save_pretrained(tmp_path / "llm")
    engine.tokenizer.save_pretrained(tmp_path / "llm")
    loop = LoopSettings(recogniser=f"plm:{model}", candidates=5, segments="section")
    settings = CoderSettings(model=str(tmp_path / "llm"), loop=loop, labels=SETTINGS)
    settings.check()
    coded = list(load_coder(settings, system).code_many(note.note for note in notes(data)))
    for note in coded:
        for code in note.codes:
            assert code.evidence
            assert all(note.text[e.start : e.end] == e.text for e in code.evidence)
    hashes = coder_manifest(settings, system)["coder"]["sha256"]
    assert set(hashes) == {"model", "recogniser"}
    moved = settings.resolved()
    assert moved.loop is not None
    assert moved.loop.recogniser == f"plm:{model.resolve()}"


def test_the_codes_of_spans_are_ranked(model: Path, system: CodeSystem) -> None:
    ranked = LabelSettings(threshold=1.0, top=10, evidence="none")
    ranking = LabelRanking(LabelCoder(str(model), system, ranked))
    one, two = ranking.rank(["acute transmural myocardial infarction", "pain"])
    assert len(one) == len(set(one)) == len(two) == 10
    plain = Candidates(LexiconCoder(system))
    further = Candidates(LexiconCoder(system), [ranking])
    (before,), (after,) = (c.retrieve(["qqq zzz"], 10) for c in (plain, further))
    assert before == []
    assert len(after) == 10


def test_a_ranker_is_part_of_the_identity(model: Path, system: CodeSystem) -> None:
    loop = LoopSettings(ranker=f"plm:{model}")
    coder = load_coder(CoderSettings(loop=loop), system)
    other = load_coder(CoderSettings(loop=LoopSettings()), system)
    assert coder.mode != other.mode
    assert coder.code("Acute myocardial infarction.").codes
    assert "ranker" in coder_manifest(CoderSettings(loop=loop), system)["coder"]["sha256"]


def test_settings_that_have_no_effect_are_refused(
    model: Path, system: CodeSystem, tmp_path: Path
) -> None:
    loop = LoopSettings(ranker=f"plm:{model}")
    with pytest.raises(
        ConfigurationError, match="neither the model nor a recogniser scores labels"
    ):
        CoderSettings(loop=loop, labels=SETTINGS).check()
    loop = LoopSettings(recogniser=f"plm:{model}")
    with pytest.raises(ConfigurationError, match="would propose none"):
        CoderSettings(loop=loop, labels=LabelSettings(evidence="none")).check()
    engine = random_engine()
    engine.model.save_pretrained(tmp_path / "llm")
    engine.tokenizer.save_pretrained(tmp_path / "llm")
    loop = LoopSettings(recogniser="lexicon", ranker=f"plm:{model}", assignment="generate")
    with pytest.raises(ConfigurationError, match="generated codes need no candidates"):
        load_coder(CoderSettings(model=str(tmp_path / "llm"), loop=loop), system)


def test_wrong_names_are_refused(model: Path, system: CodeSystem) -> None:
    with pytest.raises(ValueError, match="ranker"):
        LoopSettings(ranker=str(model))
    with pytest.raises(ConfigurationError, match="there is no engine plm"):
        load_coder(CoderSettings(model=f"plm:{model}"), system)
    loop = LoopSettings(recogniser="plm:missing")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        load_coder(CoderSettings(loop=loop), system)
