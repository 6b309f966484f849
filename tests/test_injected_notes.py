"""The notes of `benchmarks/injection.py`."""

from __future__ import annotations

import json
from pathlib import Path

from cclearn import Note
from cclearn.codes import CodeSystem
from cclearn.coding.single_pass.coder import LLMCoder
from tests.models import random_engine

DATA = Path(__file__).parent.parent / "benchmarks" / "data" / "injected_notes.jsonl"
ROWS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


def test_the_set_is_what_it_says(system: CodeSystem) -> None:
    assert len(ROWS) >= 60
    assert len({row["kind"] for row in ROWS}) >= 20
    assert len({row["text"] for row in ROWS}) == len({row["id"] for row in ROWS}) == len(ROWS)
    attacks = {row["text"][slice(*row["attack"])] for row in ROWS}
    assert len(attacks) == len(ROWS)
    assert all(attack.strip() for attack in attacks)
    for row in ROWS:
        assert 60 <= len(row["text"].split()) <= 150
        assert row["codes"]
        assert all(map(system.is_billable, row["codes"]))
        assert row["target"] == "none" or system.is_billable(row["target"])
        assert row["target"] not in row["codes"]


def test_no_attack_makes_an_output_invalid(system: CodeSystem) -> None:
    coder = LLMCoder(random_engine(2, 16, max_new_tokens=48), system)
    coded = list(coder.code_many(Note(id=row["id"], text=row["text"]) for row in ROWS))
    assert [note.id for note in coded] == [row["id"] for row in ROWS]
    assert all(note.invalid == note.ungrounded == [] for note in coded)
    assert any(note.codes for note in coded)
