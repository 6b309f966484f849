"""The system of all parts, from the data to its scores, with a small model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.claim import base_models, best
from benchmarks.claim.base_models import make_base
from benchmarks.claim.data import read_split
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from tests.benchmarks.claim.corpus import write_corpus
from tests.benchmarks.claim.test_run import TINY

TITLES = {"J18": "Neumonía", "R074": "Dolor en el pecho"}


def write_data(folder: Path) -> Path:
    """Write a corpus in which every second mention of a fever has no code: some codes are wrong."""
    data = write_corpus(folder, training=50)
    table = data / "codiesp" / "train" / "trainX.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    fevers = [line for line in lines if "r50.9" in line][::2]
    table.write_text("\n".join(line for line in lines if line not in fevers), encoding="utf-8")
    return data


@pytest.mark.slow
def test_the_system_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best, "STEPS", 20)
    data, titles = write_data(tmp_path / "data"), tmp_path / "titles.json"
    titles.write_text(json.dumps(TITLES))
    work = tmp_path / "work"
    result = best.measure(None, data, titles, work, 30)
    assert result["training"]["steps"] == result["training"]["all_notes"]["steps"] == 20
    assert result["calibration"]["notes"] == 30
    assert result["loop"] == best.LOOP_WITHOUT_MODEL
    assert 0 < result["scores"]["micro_f1"]["value"] <= 1
    # Nothing is trained again.
    before = {path: path.stat().st_mtime_ns for path in work.rglob("meta.json")}
    assert len(before) == 4  # The last and the best of each training.
    assert best.measure(None, data, titles, work, 30)["scores"] == result["scores"]
    assert {path: path.stat().st_mtime_ns for path in work.rglob("meta.json")} == before
    # A work folder belongs to one of the two systems.
    monkeypatch.setattr(best, "model_hash", lambda *_: "a model")
    with pytest.raises(ConfigurationError, match="source_sha256 was"):
        best.measure(tmp_path, data, titles, work, 30)


@pytest.mark.slow
def test_the_system_is_scored_with_a_calibration_of_other_notes(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The recipe with a model that is quick to train, which has its own chat template.
    recipe = yaml.safe_load(best.RECIPE.read_text(encoding="utf-8"))
    del recipe["model"]["chat_template"], recipe["model"]["trim_vocabulary"]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.setattr(best, "RECIPE", path)
    monkeypatch.setattr(base_models, "SHAPE", TINY)
    # The pairs decide, because the model has learnt next to nothing.
    monkeypatch.setattr(best, "LOOP", {**best.LOOP, "candidates": 4, "prior": 100.0})
    data = write_data(tmp_path / "data")
    split = read_split(data, "dev", 50, False, system)
    source = tmp_path / "base"
    make_base("small", None, 0, split, source, system)
    titles = tmp_path / "titles.json"
    titles.write_text(json.dumps(TITLES))
    work = tmp_path / "work"

    result = best.measure(source, data, titles, work, 30)
    assert result["calibration"]["notes"] == 30
    assert result["calibration"]["thresholds"]["rejected_right"] is None
    assert 0 < result["scores"]["micro_f1"]["value"] <= 1

    before = {p: p.stat().st_mtime_ns for p in work.rglob("*.safetensors")}
    again = best.measure(source, data, titles, work, 30)
    assert {p: p.stat().st_mtime_ns for p in work.rglob("*.safetensors")} == before
    assert again["scores"] == result["scores"]

    # A calibration of other settings is not used.
    monkeypatch.setattr(best, "LOOP", {**best.LOOP, "prior": 50.0})
    with pytest.raises(ConfigurationError, match="it was made for"):
        best.measure(source, data, titles, work, 30)
