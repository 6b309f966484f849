from __future__ import annotations

import random
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes.jsonl import write_rows
from data_builders.rare_codes.cooccurrence import CooccurrencePrior, read_prior
from tests.data_builders.rare_codes.coded import coded


def test_companions_are_drawn_with_their_probability() -> None:
    prior = CooccurrencePrior(
        {"I10": 10, "E78.5": 4}, {"I10": {"E78.5": 4, "R05.9": 1}, "R05.9": {"I10": 1}}
    )
    assert prior.companions("I10") == [("E78.5", 0.4), ("R05.9", 0.2)]
    assert prior.probability("E78.5", "I10") == 1
    # The table of codes has no count, so that the largest count of a pair stands for it.
    assert prior.probability("R05.9", "I10") == 1
    assert prior.probability("R05.9", "E78.5") == prior.probability("A00.0", "I10") == 0
    assert (list(prior), "A00.0" in prior) == (["E78.5", "I10", "R05.9"], False)
    rng = random.Random(0)
    draws = [prior.draw("I10", rng) for _ in range(1000)]
    assert 350 < sum("E78.5" in drawn for drawn in draws) < 450
    assert 150 < sum("R05.9" in drawn for drawn in draws) < 250
    assert prior.draw("A00.0", rng) == ()


def test_tables_are_added(tmp_path: Path, system: CodeSystem) -> None:
    for name, count in (("a", 3), ("b", 5)):
        (tmp_path / f"{name}_codes.csv").write_text(f"code,n_docs\ni10,{2 * count}\n")
        (tmp_path / f"{name}_pairs.csv").write_text(
            f"code_a,code_b,n_docs\nI10,e785,{count}\nI50,I10,9\nI10,I10,4\n"
        )
    prior = read_prior(tmp_path, system)
    assert prior.companions("I10") == [("E78.5", 0.5)]  # I50 is a header.


def test_notes_are_counted(tmp_path: Path, system: CodeSystem) -> None:
    notes = [coded("a", "I10", "E78.5"), coded("b", "I10", "E78.5", "I50"), coded("c", "I10")]
    write_rows(tmp_path / "notes.jsonl", notes)
    prior = read_prior(tmp_path / "notes.jsonl", system)
    assert prior.companions("I10") == [("E78.5", 2 / 3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file \\*pairs.csv"),
        ("code_a,n_docs\n", "pairs.csv:1: the column 'code_b' is missing"),
        ("code_a,code_b,n_docs\nI10,E78.5,two\n", "pairs.csv:2: n_docs: not a whole number"),
        ("code_a,code_b,n_docs\nI10\n", "pairs.csv:2: n_docs: not a whole number"),
        ("code_a,code_b,n_docs\nI10," + "x" * 200_000, "pairs.csv:2: n_docs: not a whole number"),
    ],
)
def test_tables_that_cannot_be_read(
    content: str | None, message: str, tmp_path: Path, system: CodeSystem
) -> None:
    if content is not None:
        (tmp_path / "pairs.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_prior(tmp_path, system)


@pytest.mark.shared_data
def test_published_counts(shared_data: Path, system: CodeSystem) -> None:
    prior = read_prior(shared_data / "cooccurrence", system)
    assert prior.probability("E78.5", "I10") > 0.4
    assert prior.companions("I50.22")[0][1] > 0.2
