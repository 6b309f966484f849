from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.local import LocalEngine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.notes import Note, SpanPair
from cclearn.notes.jsonl import write_rows


def test_paths_are_absolute_for_another_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model", "spans", "encoder"):
        (tmp_path / name).mkdir()
    (tmp_path / "table.csv").write_text("")
    (tmp_path / "mine.jinja").write_text("")
    settings = CoderSettings(
        model="vllm:model",
        system="table.csv",
        release=Path("order.txt"),
        engine=EngineSettings(chat_template="mine.jinja"),
        loop=LoopSettings(recogniser="spacy:spans", embeddings="encoder"),
        calibration="off",
        pairs=Path("pairs.jsonl"),
    ).resolved()
    assert settings.model == f"vllm:{tmp_path}/model"
    assert settings.system == f"{tmp_path}/table.csv"
    assert settings.release == tmp_path / "order.txt"
    assert settings.engine.chat_template == f"{tmp_path}/mine.jinja"
    assert settings.calibration == "off"
    assert settings.pairs == tmp_path / "pairs.jsonl"
    assert settings.loop is not None
    assert settings.loop.recogniser == f"spacy:{tmp_path}/spans"
    assert settings.loop.embeddings == f"{tmp_path}/encoder"
    both = LoopSettings(recogniser=("lexicon", "spacy:spans"))
    loop = CoderSettings(model="vllm:model", loop=both).resolved().loop
    assert loop == LoopSettings(recogniser=("lexicon", f"spacy:{tmp_path}/spans"))


@pytest.mark.parametrize("model", ["lexicon", "openai:gpt", "owner/name"])
def test_names_that_are_no_paths_are_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lexicon", "off", "icd10cm"):
        (tmp_path / name).mkdir()
    settings = CoderSettings(model=model, calibration="off")
    assert settings.resolved() == settings == pickle.loads(pickle.dumps(settings))


def test_pairs_are_used_by_the_lexicon_and_span_loop(
    tmp_path: Path, system: CodeSystem, random_engine: LocalEngine
) -> None:
    model_folder = tmp_path / "model"
    random_engine.model.save_pretrained(model_folder)
    random_engine.tokenizer.save_pretrained(model_folder)
    pair = SpanPair(
        id="a", text="sugar trouble", code="E11.9", release="x", grade="gold", source="test"
    )
    write_rows(tmp_path / "pairs.jsonl", [pair])
    settings = CoderSettings(pairs=tmp_path / "pairs.jsonl", encounter="outpatient")
    coder = load_coder(settings, system)
    assert [code.code for code in coder.code("Known sugar trouble.").codes] == ["E11.9"]
    assert coder.encounter == "outpatient"
    with pytest.raises(ConfigurationError, match="a model in single_pass does not use them"):
        load_coder(CoderSettings(model="none", pairs=tmp_path / "pairs.jsonl"), system)
    unused = CoderSettings(
        model=str(model_folder),
        pairs=tmp_path / "pairs.jsonl",
        loop=LoopSettings(assignment="generate"),
    )
    with pytest.raises(ConfigurationError, match="neither the recogniser nor generated codes"):
        load_coder(unused, system)
    # In span_loop, the lexicon recognises the phrases, and their codes are the first candidates.
    loop = CoderSettings(pairs=tmp_path / "pairs.jsonl", loop=LoopSettings())
    coder = load_coder(loop, system)
    assert [code.code for code in coder.code("Known sugar trouble.").codes] == ["E11.9"]
    assert coder.identity == load_coder(replace(loop, pairs=[pair]), system).identity
    assert coder.identity != load_coder(replace(loop, pairs=None), system).identity


def test_without_assertion_rules_all_mentions_are_coded(system: CodeSystem, tmp_path: Path) -> None:
    note = Note(id="n", text="No asthma.")
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": "n", "answer": "- asthma => J45.909"}\n')
    loop = LoopSettings(recogniser="lexicon")
    for settings in (
        CoderSettings(),
        CoderSettings(f"replay:{answers}"),
        CoderSettings(loop=loop),
    ):
        coder = load_coder(settings, system)
        assert coder.code(note).codes == []
        every = load_coder(replace(settings, assertion="off"), system)
        assert [(a.code, a.assertion) for a in every.code(note).codes] == [("J45.909", "present")]
        assert every.identity != coder.identity
