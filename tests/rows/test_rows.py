from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.rows import (
    TrainingRow,
    document_row,
    encode_rows,
    epoch_shares,
    in_share,
    mix,
    read_source,
    source_repeats,
)
from cclearn.training.scratch import make_tokenizer
from tests.models import rows as some_rows

PAIR = SpanPair(id="p", text="heart attack", code="I21.9", release="r", grade="gold", source="test")
NOTE = CodedNote(
    id="n",
    text="Heart attack.",
    codes=[AssignedCode(code="I21.9", evidence=[Evidence(start=0, end=12, text="Heart attack")])],
)


def test_sources_become_rows(tmp_path: Path, system: CodeSystem) -> None:
    write_rows(tmp_path / "pairs.jsonl", [PAIR])
    write_rows(tmp_path / "notes.jsonl", [NOTE])
    (span,) = read_source(tmp_path / "pairs.jsonl", "span", system)
    assert span.completion == "- heart attack => I21.9 Acute myocardial infarction, unspecified"
    (bare,) = read_source(tmp_path / "pairs.jsonl", "span")
    assert bare.completion == "- heart attack => I21.9"
    (document,) = read_source(tmp_path / "notes.jsonl", "document")
    assert document.completion == "- Heart attack => I21.9"
    assert document.prompt[0]["content"].endswith("Heart attack.")


def test_codes_are_spelt_officially_and_must_be_known(tmp_path: Path, system: CodeSystem) -> None:
    write_rows(tmp_path / "pairs.jsonl", [PAIR.model_copy(update={"code": "i219"})])
    (row,) = read_source(tmp_path / "pairs.jsonl", "span", system, describes=False)
    assert row.completion == "- heart attack => I21.9"
    write_rows(tmp_path / "other.jsonl", [PAIR.model_copy(update={"code": "I99.99"})])
    with pytest.raises(DataError, match=r"other\.jsonl: code: pair 'p': I99\.99 is not in icd10cm"):
        list(read_source(tmp_path / "other.jsonl", "span", system))


def test_a_note_whose_codes_have_no_evidence_is_refused() -> None:
    bare = CodedNote(id="bare", text="x", codes=[AssignedCode(code="I10")])
    with pytest.raises(ConfigurationError, match=r"document rows \(id = bare\): I10 without"):
        document_row(bare)


def test_only_the_completion_is_supervised() -> None:
    tokenizer = make_tokenizer(some_rows(), 500)
    encoded, reports = encode_rows([document_row(NOTE)], tokenizer, max_length=512)
    (row,) = encoded
    supervised = [token for token, on in zip(row.input_ids, row.completion_mask, strict=True) if on]
    assert tokenizer.decode(supervised) == "- Heart attack => I21.9<|end|>"
    report = reports["document", None]
    assert (report.rows, report.tokens) == (1, len(row.input_ids))
    assert report.supervised_tokens == sum(row.completion_mask) == len(supervised)


def test_a_row_that_is_too_long_is_never_cut() -> None:
    tokenizer = make_tokenizer(some_rows(), 500)
    rows = [*some_rows(), document_row(NOTE)]
    shortest = min(len(row.input_ids) for row in encode_rows(rows, tokenizer, 512)[0])
    with pytest.raises(
        ConfigurationError, match=r"rows are longer than max_length = \d+.*rows\.overflow to drop"
    ):
        encode_rows(rows, tokenizer, shortest)
    encoded, reports = encode_rows(rows, tokenizer, shortest, "drop")
    assert len(encoded) == 1
    assert sum(len(report.dropped) for report in reports.values()) == len(rows) - 1


def test_a_row_with_nothing_to_learn_is_refused_by_its_id() -> None:
    tokenizer = make_tokenizer(some_rows(), 500)
    silent = TrainingRow("silent-1", "span", document_row(NOTE).prompt, " ")
    with pytest.raises(ConfigurationError, match="silent-1"):
        encode_rows([silent], tokenizer, 512)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=3),
    st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3),
    st.integers(0, 5),
)
def test_shares_are_kept_and_no_row_is_lost(
    sizes: list[int], shares: list[float], seed: int
) -> None:
    sources = [[(kind, number) for number in range(size)] for kind, size in enumerate(sizes)]
    given = shares[: len(sizes)]
    chosen = epoch_shares(sizes, "fixed_ratio", given)
    assert chosen is not None
    assert sum(chosen) == pytest.approx(1)
    repeats = source_repeats(sizes, chosen, [1_000.0] * len(sizes))
    epoch = mix(sources, repeats, seed)
    assert epoch == mix(sources, repeats, seed)
    counts = Counter(epoch)
    for kind, size in enumerate(sizes):
        times = [counts[(kind, number)] for number in range(size)]
        assert min(times) >= 1
        assert max(times) - min(times) <= 1
        assert abs(sum(times) - len(epoch) * chosen[kind]) <= 2
    once = source_repeats(sizes, None, [None] * len(sizes))
    assert sorted(mix(sources, once, seed)) == sorted(r for s in sources for r in s)


def test_the_named_mixing_strategies() -> None:
    sizes = [10_000, 100]
    assert epoch_shares(sizes, "concatenate", [None, None]) is None
    assert epoch_shares(sizes, "proportional", [None, None]) == pytest.approx([100 / 101, 1 / 101])
    # Square roots: 100 and 10.
    assert epoch_shares(sizes, "proportional", [None, None], 2) == pytest.approx([10 / 11, 1 / 11])
    assert epoch_shares(sizes, "fixed_ratio", [0.9, 0.1]) == pytest.approx([0.9, 0.1])


def test_shares_are_those_of_tokens_and_repeats_are_limited() -> None:
    # 1,000 spans of 10 tokens, and 20 notes of 100 tokens.
    sizes = [10_000, 2_000]
    assert source_repeats(sizes, [0.5, 0.5], [None, 9]) == pytest.approx([1, 5])
    # By default no row occurs more than four times, and the share of its source is smaller.
    assert source_repeats(sizes, [0.5, 0.5], [None, None]) == pytest.approx([1, 4])
    assert source_repeats(sizes, [0.8, 0.2], [None, None]) == pytest.approx([1, 1.25])
    # The source whose share is the smallest occurs once.
    assert source_repeats(sizes, [0.95, 0.05], [None, None]) == pytest.approx([3.8, 1])
    assert source_repeats(sizes, None, [3, None]) == [3, 1]
    epoch = mix([range(1_000), range(1_000, 1_020)], [3, 1.25], seed=0)
    counts = Counter(epoch)
    assert [counts[row] for row in range(1_000)] == [3] * 1_000
    notes = Counter(counts[row] for row in range(1_000, 1_020))
    assert notes == {1: 15, 2: 5}
    sampled = mix([range(1_000)], [0.3], seed=0)
    assert len(sampled) == len(set(sampled)) == 300


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_split_is_stable_and_nested(identifier: str, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert not in_share(identifier, 0.0)
    assert in_share(identifier, 1.0)
    assert in_share(identifier, larger) or not in_share(identifier, smaller)


def test_a_split_has_about_its_share() -> None:
    inside = sum(in_share(f"note-{number}", 0.3) for number in range(10_000))
    assert 2_800 < inside < 3_200
    other = sum(in_share(f"note-{number}", 0.3, seed=1) for number in range(10_000))
    assert inside != other
