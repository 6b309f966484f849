from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cclearn.codes import CodeSystem
from cclearn.coding.span_loop.embeddings import EmbeddingRanking
from cclearn.errors import ConfigurationError
from cclearn.notes import SpanPair
from tests.models import random_engine

TABLE = """code,description,billable
A1,Acute myocardial infarction,1
B2,Type 2 diabetes mellitus,1
C3,Hypertension,1
"""


@pytest.fixture
def small(tmp_path: Path) -> CodeSystem:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    return CodeSystem.load(str(path))


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    tokenizer = random_engine().tokenizer
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        pad_token_id=tokenizer.pad_token_id,
        **size,  # type: ignore[arg-type]
    )
    folder = tmp_path / "encoder"
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_string_is_nearest_to_itself(
    small: CodeSystem, encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path / "cache"))
    texts = ["Hypertension", "Acute myocardial infarction", "Type 2 diabetes mellitus"]
    ranked = list(EmbeddingRanking(small, encoder).rank(texts))
    assert [codes[0] for codes in ranked] == ["C3", "A1", "B2"]
    assert all(sorted(codes) == ["A1", "B2", "C3"] for codes in ranked)
    (kept,) = (tmp_path / "cache").glob("*embeddings*")
    before = kept.read_bytes()
    assert list(EmbeddingRanking(small, encoder).rank(texts)) == ranked
    kept.write_bytes(before[:-40])  # Damaged: made anew.
    assert list(EmbeddingRanking(small, encoder).rank(texts)) == ranked
    assert kept.read_bytes() == before


def test_the_run_that_writes_the_cache_uses_the_same_values_as_later_runs(
    small: CodeSystem, encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path / "cache"))
    first, later = EmbeddingRanking(small, encoder), EmbeddingRanking(small, encoder)
    assert torch.equal(first._strings, later._strings)


def test_of_strings_with_equal_scores_the_first_come_first(encoder: str, tmp_path: Path) -> None:
    path = tmp_path / "equal.csv"
    rows = "".join(f"A{number:03},Hypertension,1\n" for number in range(500))
    path.write_text(f"code,description,billable\n{rows}Z1,Acute myocardial infarction,1\n")
    ranking = EmbeddingRanking(CodeSystem.load(str(path)), encoder)
    ranking._strings[:500] = ranking._strings[0]  # Whatever batch each was embedded in.
    (codes,) = ranking.rank(["Hypertension"])
    assert codes == [f"A{number:03}" for number in range(300)]


def test_padding_does_not_change_an_embedding(small: CodeSystem, encoder: str) -> None:
    ranking = EmbeddingRanking(small, encoder)
    alone = ranking._embed(["Hypertension"])
    beside = ranking._embed(["Hypertension", "Acute myocardial infarction of the wall " * 3])
    # The products are in bfloat16.
    assert float((alone[0] * beside[0]).sum()) == pytest.approx(1, abs=1e-3)


def test_a_missing_encoder_is_refused(small: CodeSystem, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        EmbeddingRanking(small, str(tmp_path / "nowhere"))


def test_the_strings_of_pairs_are_ranked_too(
    small: CodeSystem, encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path / "cache"))
    pair = SpanPair(id="p", text="sugar", code="B2", release="r", grade="gold", source="user")
    (codes,) = EmbeddingRanking(small, encoder, [pair, pair]).rank(["sugar"])
    assert codes[0] == "B2"
    assert sorted(codes) == ["A1", "B2", "B2", "C3"]
    # The cache holds the strings of the code system only.
    (codes,) = EmbeddingRanking(small, encoder).rank(["sugar"])
    assert sorted(codes) == ["A1", "B2", "C3"]
