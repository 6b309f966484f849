from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cclearn.audit.nearest import compare_with_nearest, nearest_similarity
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from tests.audit.corpora import changed, note_set, random_text


def test_a_copy_is_nearer_than_a_near_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = [random_text(n) for n in range(30)]
    queries = [corpus[7], changed(corpus[8], every=10), random_text("other"), ""]
    found = nearest_similarity(queries, corpus)
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert 0.7 < found[1] < 0.99
    assert found[2] < 0.5
    assert found[3] == 0
    monkeypatch.setattr("cclearn.audit.nearest._BLOCK", 4)
    assert nearest_similarity(queries, corpus) == pytest.approx(found)
    assert len(nearest_similarity([], corpus)) == 0


def test_quantiles_are_those_of_a_sample(tmp_path: Path, system: CodeSystem) -> None:
    texts = [random_text(n) for n in range(20)]
    notes = note_set(tmp_path / "a.jsonl", texts, system)
    found = compare_with_nearest(notes, notes, AuditSettings(nearest_notes=10))
    assert found.notes == 10
    assert list(found.quantiles) == ["0.5", "0.9", "0.99", "1"]
    assert np.allclose(list(found.quantiles.values()), 1)
