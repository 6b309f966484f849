from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cclearn.audit.membership import attack_scores, infer_membership
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from tests.audit.corpora import changed, note_set, random_text


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.5, 1, 80).round(1), rng.normal(0, 1, 120).round(1)
    auc, attacks = attack_scores(members, others, 200, 0)
    truth = [1] * 80 + [0] * 120
    assert auc.value == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    assert auc.low is not None
    assert auc.high is not None
    assert auc.value is not None
    assert auc.low < auc.value < auc.high
    assert [attack.share for attack in attacks] == [0.1, 0.5]
    half = attacks[1]
    assert half.precision.value is not None
    assert half.precision.value > 0.4  # The share of members.
    assert half.advantage.value is not None
    assert half.advantage.value > 0
    assert (auc, attacks) == attack_scores(members, others, 200, 0)


def test_a_generator_that_copies_is_found_out(tmp_path: Path, system: CodeSystem) -> None:
    training = [random_text(f"in {n}") for n in range(40)]
    held_out = [random_text(f"out {n}") for n in range(40)]
    synthetic = [changed(text, every=6) for text in training]
    settings = AuditSettings(draws=100)
    members = note_set(tmp_path / "members.jsonl", training, system)
    others = note_set(tmp_path / "others.jsonl", held_out, system)
    copies = note_set(tmp_path / "copies.jsonl", synthetic, system)
    found = infer_membership(copies, members, others, settings)
    assert found.auc.value == 1.0
    assert not found.inference.passed
    assert found.precision_of_everyone == 0.5
    assert found.attacks[1].precision.value == 1.0
    honest = note_set(tmp_path / "honest.jsonl", [random_text(n) for n in range(60)], system)
    assert infer_membership(honest, members, others, settings).inference.passed
    empty = note_set(tmp_path / "empty.jsonl", [], system)
    with pytest.raises(DataError, match="contains no notes"):
        infer_membership(copies, members, empty, settings)
