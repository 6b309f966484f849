from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.claim import candidates
from benchmarks.claim.candidates import measure, shares
from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.notes import SpanPair
from tests.benchmarks.claim.corpus import write_corpus


@pytest.mark.slow
def test_shares_count_the_pairs_whose_code_is_among_the_first_candidates(
    system: CodeSystem,
) -> None:
    pairs = [
        SpanPair(id=str(n), text="neumonía", code=code, release="r", grade="gold", source="user")
        for n, code in enumerate(("J18.9", "J18.9", "J15.9"))
    ]
    known = Candidates(LexiconCoder(system), pairs=pairs)
    asked = [("neumonía", "J18.9"), ("neumonía", "J15.9"), ("neumonía", "Z99.2")]
    assert shares(known, asked, (1, 2, 20)) == {"1": 0.333, "2": 0.667, "20": 0.667}
    assert shares(known, [], (1,)) == {"1": 0.0}


@pytest.mark.slow
def test_all_groups_are_measured_with_and_without_translation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = tmp_path / "cie10.json"
    titles.write_text(json.dumps({"I10": "Hipertensión esencial"}), encoding="utf-8")
    monkeypatch.setattr(candidates, "TUNING", 5)
    found = measure(write_corpus(tmp_path / "data"), titles, tmp_path / "out")
    # The development notes have nine of the ten strings, and the training notes have all.
    assert found["pairs"] == {"known string": 9, "new string": 0, "new code": 0}
    for of_groups in found["shares"].values():
        assert of_groups["known string"] == {"1": 1.0, "5": 1.0, "40": 1.0}
