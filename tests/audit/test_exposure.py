from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from cclearn.audit.canaries import new_canaries
from cclearn.audit.exposure import exposure_of, log_likelihoods, measure_exposure
from cclearn.audit.settings import AuditSettings
from cclearn.errors import CclearnError
from tests.models import random_engine

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_exposure_follows_its_definition() -> None:
    others = [-3.0, -2.0, -1.0]
    assert exposure_of(-0.5, others) == 2.0
    assert exposure_of(-2.5, others) == math.log2(4) - math.log2(3)
    assert exposure_of(-9.0, others) == 0.0
    assert exposure_of(-1.0, others) == 1.0  # A tie counts against the canary.


def test_log_likelihoods_do_not_depend_on_the_batch() -> None:
    engine = random_engine()
    texts = ["Filed under number 12.", "No.", "A longer sentence about pneumonia and 20 mg."]
    together = log_likelihoods(engine.model, engine.tokenizer, texts, batch_size=3)
    alone = log_likelihoods(engine.model, engine.tokenizer, texts, batch_size=1)
    assert together == pytest.approx(alone, abs=1e-3)
    ids = torch.tensor([engine.tokenizer(texts[2])["input_ids"]])
    with torch.inference_mode():
        loss = engine.model(input_ids=ids, labels=ids).loss
    assert together[2] == pytest.approx(-float(loss) * (ids.shape[1] - 1), rel=1e-4)


def test_a_memorised_canary_is_exposed(tmp_path: Path) -> None:
    engine = random_engine()
    canaries = new_canaries(3, 1, seed=2)
    text = canaries.text(canaries.secrets[1])
    ids = torch.tensor([engine.tokenizer(text)["input_ids"]])
    optimizer = torch.optim.AdamW(engine.model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    engine.model.train()
    for _ in range(60):
        engine.model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    engine.model.save_pretrained(tmp_path / "model")
    engine.tokenizer.save_pretrained(tmp_path / "model")
    settings = AuditSettings(candidates=255, largest_exposure=7.5)
    found = measure_exposure(str(tmp_path / "model"), canaries, settings)
    assert found.largest == 8.0
    assert found.bits[1] == 8.0
    assert found.exposed.found == 8.0
    assert not found.exposed.passed
    assert found.space == canaries.bits
    assert found == measure_exposure(str(tmp_path / "model"), canaries, settings)


def test_broken_scores_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cclearn.audit.exposure.load_tokenizer", lambda name: None)
    monkeypatch.setattr("cclearn.engines.loading.Loading.load", lambda self, name: None)
    monkeypatch.setattr("cclearn.audit.exposure.log_likelihoods", lambda *_: [float("nan")] * 4)
    with pytest.raises(CclearnError, match="its scores are not finite"):
        measure_exposure("x", new_canaries(1, 1, 0), AuditSettings(candidates=3))
